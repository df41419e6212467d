import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endOf, NEVER, readPttl } from '../../../../src/policies/cache/lifetime.ts'
import type { CacheRule } from '../../../../src/session/tenant.ts'
import { fuzz } from '../../../helpers/fuzz.ts'

function read(text: string): number {
  // Not at the start of its buffer, and with something behind it.
  const bytes = Buffer.from(`..${text}:9\r\n`, 'latin1')
  return readPttl(bytes, 2, 2 + text.length)
}

describe('the reply to PTTL', () => {
  test.each([0, 1, 9, 10, 1234, -1, -2, 4_102_444_800_000, Number.MAX_SAFE_INTEGER])(':%d', (number) => {
    expect(read(`:${number}\r\n`)).toBe(number)
  })

  test.each([
    '',
    ':',
    ':\r\n',
    ':-\r\n',
    ':-3\r\n',
    ':1',
    ':1\r',
    ':1\n\n',
    ':1 \r\n',
    ':+1\r\n',
    ':1.5\r\n',
    ':--1\r\n',
    '$-1\r\n',
    '+OK\r\n',
    '-LOADING Redis is loading the dataset in memory\r\n',
    '_\r\n',
    ':9223372036854775807\r\n',
    ':99999999999999999999999\r\n',
  ])('%j is none', (text) => {
    expect(read(text)).toBeNaN()
  })

  test('whatever else comes is none either', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(':', '-', '1', '0', '\r', '\n', 'a'), maxLength: 8 }), (text) => {
        const expected = /^:(-[12]|-?0+|0*[0-9]+|-0*[12])\r\n$/.test(text) ? Number(text.slice(1, -2)) : Number.NaN
        expect(read(text) === expected || (Number.isNaN(read(text)) && Number.isNaN(expected))).toBe(true)
      }),
      fuzz('PTTL replies', 0.5),
    )
  })
})

describe('the end of an entry', () => {
  const RULE: CacheRule = { keys: '*', maxAge: 30_000, negative: 5000, jitter: 0 }
  const end = (
    pttl: number,
    { absent = false, random = 0, ...rule }: Partial<CacheRule> & { absent?: boolean; random?: number } = {},
  ) => endOf(pttl, absent, 1000, { ...RULE, ...rule }, random)

  test('a key that does not expire: maxAge from the moment of asking', () => {
    expect(end(-1)).toBe(31_000)
  })

  test('a key that expires before maxAge: that, from the moment of asking', () => {
    expect(end(1)).toBe(1001)
    expect(end(29_999)).toBe(30_999)
    expect(end(30_001)).toBe(31_000)
  })

  test('a key that is about to expire is not stored', () => {
    expect(end(0)).toBe(NEVER)
  })

  test('a value beside the expiry of a key that was not there is not stored', () => {
    expect(end(-2)).toBe(NEVER)
  })

  test('that a key does not exist is remembered for `negative`, and no longer than maxAge', () => {
    expect(end(-2, { absent: true })).toBe(6000)
    expect(end(-2, { absent: true, maxAge: 100 })).toBe(1100)
    expect(end(-2, { absent: true, negative: 0 })).toBe(NEVER)
  })

  test('the absence of a field of a key that is there is as good as a value', () => {
    expect(end(-1, { absent: true })).toBe(31_000)
    expect(end(10, { absent: true })).toBe(1010)
  })

  test('without a number nothing is stored', () => {
    expect(end(Number.NaN)).toBe(NEVER)
    expect(end(Number.NaN, { absent: true })).toBe(NEVER)
  })

  test('jitter makes maxAge and negative shorter, by its share at most, and leaves the expiry of the key', () => {
    expect(end(-1, { jitter: 0.1, random: 1 })).toBe(28_000)
    expect(end(-1, { jitter: 0.1, random: 0.5 })).toBe(29_500)
    expect(end(-2, { absent: true, jitter: 0.5, random: 1 })).toBe(3500)
    expect(end(20_000, { jitter: 0.1, random: 1 })).toBe(21_000)
  })

  test('it is never later than anything that bounds it', () => {
    const numbers = fc.nat(100_000)
    fc.assert(
      fc.property(
        fc.integer({ min: -2, max: 100_000 }),
        fc.boolean(),
        numbers,
        numbers,
        numbers,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (pttl, absent, sentAt, maxAge, negative, jitter, random) => {
          const at = endOf(pttl, absent, sentAt, { keys: '*', maxAge, negative, jitter }, random)
          expect(at).toBeLessThanOrEqual(sentAt + maxAge)
          if (pttl >= 0) expect(at).toBeLessThanOrEqual(sentAt + pttl)
          if (pttl === -2) expect(at).toBeLessThanOrEqual(sentAt + negative)
          // Nor earlier than the jitter makes it.
          const bounds = pttl === -2 ? [maxAge, negative] : pttl === -1 ? [maxAge] : [maxAge, pttl]
          if (at !== NEVER) expect(at - sentAt).toBeGreaterThanOrEqual(Math.min(...bounds) * (1 - jitter) - 1e-6)
        },
      ),
      fuzz('ends', 0.5),
    )
  })
})
