import { expect, test } from 'vitest'
import {
  AT_MILLISECONDS,
  AT_SECONDS,
  askedTime,
  MILLISECONDS,
  RuleTimes,
  SECONDS,
} from '../../../../src/policies/ttl/times.ts'
import type { TtlRule } from '../../../../src/session/tenant.ts'
import { argsOf } from '../../../helpers/arg-view.ts'
import { NOW, ttlRule } from './ttl-world.ts'

const FORMS = { SECONDS, MILLISECONDS, AT_SECONDS, AT_MILLISECONDS }

test.each([
  ['10', 'SECONDS', 10_000],
  ['10', 'MILLISECONDS', 10],
  ['1700000010', 'AT_SECONDS', 9_750],
  [`${NOW + 7}`, 'AT_MILLISECONDS', 7],
  ['0', 'SECONDS', 0],
  ['-5', 'MILLISECONDS', -5],
  ['1', 'AT_SECONDS', 1000 - NOW],
  // What string2ll does not read.
  ['', 'SECONDS', Number.NaN],
  [' 5', 'SECONDS', Number.NaN],
  ['+5', 'SECONDS', Number.NaN],
  ['05', 'SECONDS', Number.NaN],
  ['-0', 'SECONDS', Number.NaN],
  ['1.5', 'SECONDS', Number.NaN],
  ['5\0', 'SECONDS', Number.NaN],
  ['9223372036854775808', 'AT_MILLISECONDS', Number.NaN],
  // The last that fits 64 bits, and the first that does not.
  ['9223372036854775807', 'AT_MILLISECONDS', 2 ** 63 - NOW],
  ['9223372036854775', 'AT_SECONDS', 9223372036854775000 - NOW],
  ['9223372036854776', 'AT_SECONDS', Number.NaN],
  [`${2n ** 63n - 1n - BigInt(NOW)}`, 'MILLISECONDS', 2 ** 63 - NOW],
  [`${2n ** 63n - BigInt(NOW)}`, 'MILLISECONDS', Number.NaN],
  ['9223372036854775', 'SECONDS', Number.NaN],
  ['-9223372036854775808', 'MILLISECONDS', -(2 ** 63)],
  ['-9223372036854775', 'SECONDS', -9223372036854775000],
  ['-9223372036854776', 'SECONDS', Number.NaN],
] as const)('%j as %s asks for %d', (text, form, asked) => {
  expect(askedTime(argsOf(text), 0, FORMS[form], NOW)).toBe(asked)
})

function times(more: Partial<TtlRule>, dice = 0): RuleTimes {
  return new RuleTimes(ttlRule(more), () => dice)
}

test('a time within bounds stays, one beyond them becomes the nearest', () => {
  const bounds = times({ max: 1000, min: 100 })
  expect([99, 100, 500, 1000, 1001, 2 ** 63].map((asked) => bounds.bound(asked))).toEqual([
    100, 100, 500, 1000, 1000, 1000,
  ])
  expect(times({}).bound(5)).toBe(5)
})

test('what Redis refuses or takes for the past is left alone', () => {
  const bounds = times({ max: 1000, min: 100 })
  expect([0, -1, -(2 ** 63), Number.NaN].map((asked) => bounds.bound(asked))).toEqual([0, -1, -(2 ** 63), Number.NaN])
})

test('jitter makes what the rule sets shorter by up to its share, never less than min', () => {
  expect(times({ default: 1000, jitter: 0.1 }, 0).default).toBe(1000)
  expect(times({ default: 1000, jitter: 0.1 }, 0.999).default).toBe(900)
  expect(times({ max: 1000, jitter: 0.5 }, 0.5).bound(5000)).toBe(750)
  expect(times({ default: 1000, max: 2000, min: 950, jitter: 0.5 }, 0.9).default).toBe(950)
  expect(times({ min: 950, jitter: 0.5 }, 0.9).bound(5)).toBe(950)
  expect(times({ default: 1, jitter: 0.9 }, 0.9).default).toBe(1)
  expect(times({ max: 1000, jitter: 0.5 }, 0.9).bound(900)).toBe(900)
})

test('a key whose client wants to keep it gets default, or else max', () => {
  expect(times({ default: 10, max: 20 }).instead).toBe(10)
  expect(times({ max: 20 }).instead).toBe(20)
  expect(times({ min: 20 }).instead).toBeUndefined()
  expect(times({ max: 20 }).default).toBeUndefined()
})

test.each([
  // Rounded down, so that max holds, but not to 0.
  [{ max: 1999 }, 1999, 'SECONDS', 1],
  [{ max: 999 }, 999, 'SECONDS', 1],
  [{ max: 1999 }, 1999, 'MILLISECONDS', 1999],
  [{ max: 5000 }, 5000, 'AT_MILLISECONDS', NOW + 5000],
  [{ max: 5000 }, 5000, 'AT_SECONDS', 1_700_000_005],
  [{ max: 300 }, 300, 'AT_SECONDS', 1_700_000_001],
  // Up, so that min does, unless that is beyond max.
  [{ min: 1001 }, 1001, 'SECONDS', 2],
  [{ min: 2000 }, 2000, 'SECONDS', 2],
  [{ min: 1200, max: 1500 }, 1200, 'SECONDS', 1],
  [{ min: 1200, max: 2000 }, 1200, 'SECONDS', 2],
  [{ min: 5000 }, 5000, 'AT_SECONDS', 1_700_000_006],
  [{ min: 5000, max: 5500 }, 5000, 'AT_SECONDS', 1_700_000_005],
] as const)('%j: %d is written in %3$s as %4$d', (options, time, form, written) => {
  expect(times(options).written(time, FORMS[form], NOW)).toBe(written)
})
