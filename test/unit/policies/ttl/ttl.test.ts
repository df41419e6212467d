import { beforeEach, describe, expect, test } from 'vitest'
import type { TtlRule } from '../../../../src/session/tenant.ts'
import { NOW, TtlWorld, ttlRule, type Word } from './ttl-world.ts'

const HOUR = 3_600_000
const FAR = '9223372036854775807'

let world: TtlWorld
beforeEach(() => {
  world = new TtlWorld()
})

const byDefault = ttlRule({ default: HOUR })

/** What goes upstream, one line for each request. */
function told(rule: TtlRule, words: string | readonly Word[]): string[] {
  const { verdict, sent, behind, answer } = world.ask([rule], words)
  if (verdict === 'reply') return [`answered ${JSON.stringify(answer)}`]
  return [sent?.join(' ') ?? 'as it is', ...behind.map((line) => `then ${line}`)]
}

const THEN = `then k ${HOUR}`

describe('what would leave a key without an expiry', () => {
  test.each([
    ['SET k v', [`SET k v PX ${HOUR}`]],
    ['set k v xx', [`set k v xx PX ${HOUR}`]],
    // They may leave a key as it is, which then gets one.
    ['SET k v NX', [`SET k v NX PX ${HOUR}`, THEN]],
    ['SET k v GET', [`SET k v GET PX ${HOUR}`, THEN]],
    ['SET k v IFEQ x', [`SET k v IFEQ x PX ${HOUR}`, THEN]],
    ['SET k v NX PX 5', ['as it is', THEN]],
    ['SET k v EX 5 GET', ['as it is', THEN]],
    ['SET k v KEEPTTL', ['as it is', THEN]],
    ['SET k v GET KEEPTTL XX', ['as it is', THEN]],
    ['SET k v EX 5', ['as it is']],
    ['SET k v XX PXAT 1700000001000', ['as it is']],
    ['SET k v EX 5 EX 6', ['as it is']],
    // Redis refuses these, and they stay as they are.
    ['SET k v NX XX', ['as it is', THEN]],
    ['SET k v EX', ['as it is', THEN]],
    ['SET k v NOPE', ['as it is', THEN]],
    ['SET k v PERSIST', ['as it is', THEN]],
    ['SET k v EX 5 PX 5', ['as it is', THEN]],
    ['SET k v KEEPTTL EX 5', ['as it is', THEN]],
    ['SET k v IFEQ', ['as it is', THEN]],
    ['SET k v EX 0', ['as it is', THEN]],
    ['SET k v EX -1', ['as it is', THEN]],
    ['SET k v PX 1.5', ['as it is', THEN]],
    [`SET k v EX ${FAR}`, ['as it is', THEN]],
    ['SETEX k 5 v', ['as it is']],
    ['SETEX k 0 v', ['as it is', THEN]],
    ['PSETEX k x v', ['as it is', THEN]],
    ['MSETEX 1 k v', ['as it is', THEN]],
    ['MSETEX 1 k v KEEPTTL', ['as it is', THEN]],
    ['MSETEX 1 k v EX 5', ['as it is']],
    ['MSETEX 1 k v NX EX 5', ['as it is', THEN]],
    ['MSETEX 1 k v EX 0', ['as it is', THEN]],
    // An option in the place of a value is one.
    ['MSETEX 1 k EX', ['as it is', THEN]],
    ['MSETEX 1 k EX EX 5', ['as it is']],
    ['SETNX k v', ['as it is', THEN]],
    ['EXPIRE k 5', ['as it is']],
    ['EXPIRE k -5', ['as it is']],
    ['EXPIRE k 5 GT', ['as it is', THEN]],
    ['EXPIRE k 5 NOPE', ['as it is', THEN]],
    ['PEXPIRE k x', ['as it is', THEN]],
    ['EXPIREAT k 1', ['as it is']],
    ['PEXPIREAT k 1700000001000', ['as it is']],
    ['GETEX k', ['as it is', THEN]],
    ['GETEX k EX 5', ['as it is', THEN]],
    ['GETEX k NOPE', ['as it is', THEN]],
    ['RESTORE k 0 payload', [`RESTORE k ${HOUR} payload`, THEN]],
    ['RESTORE k 0 payload REPLACE absttl', [`RESTORE k ${NOW + HOUR} payload REPLACE absttl`, THEN]],
    ['RESTORE k 0 payload FREQ ABSTTL', [`RESTORE k ${HOUR} payload FREQ ABSTTL`, THEN]],
    ['RESTORE k 5 payload', ['as it is', THEN]],
    ['RESTORE k 0 payload NOPE', ['as it is', THEN]],
    ['RESTORE k x payload', ['as it is', THEN]],
    ['MSET k v k2 v', ['as it is', THEN, `then k2 ${HOUR}`]],
    ['PERSIST k', ['as it is']],
    ['GETEX k PERSIST', ['as it is']],
    ['GETEX k PERSIST EX 5', ['as it is', THEN]],
  ])('%s', (words, expected) => {
    expect(told(byDefault, words)).toEqual(expected)
  })

  test('options are words of C: what is behind a NUL does not count', () => {
    expect(told(byDefault, ['SET', 'k', 'v', 'kEepTtl\0x'])).toEqual(['as it is', THEN])
    expect(told(byDefault, ['SET', 'k', 'v', 'ex\0', '5'])).toEqual(['as it is'])
  })

  test('a value is copied byte by byte', () => {
    const value = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256))
    const { sent } = world.ask([byDefault], ['SET', 'k', value])
    expect(sent?.slice(3)).toEqual(['PX', `${HOUR}`])
    expect(Buffer.from(sent?.[2] ?? '', 'latin1').equals(value)).toBe(true)
  })
})

describe('times beyond the bounds', () => {
  const bounded = ttlRule({ max: 100_000, min: 10_000 })
  const at = (milliseconds: number) => NOW + milliseconds
  test.each([
    ['SET k v EX 99', 'as it is'],
    ['SET k v EX 101', 'SET k v EX 100'],
    ['SET k v ex 9 nx', 'SET k v ex 10 nx'],
    ['SET k v PX 100001', 'SET k v PX 100000'],
    ['SET k v GET PX 1 XX', 'SET k v GET PX 10000 XX'],
    [`SET k v PXAT ${at(200_000)}`, `SET k v PXAT ${at(100_000)}`],
    [`SET k v PXAT ${at(1)}`, `SET k v PXAT ${at(10_000)}`],
    [`SET k v PXAT ${at(-1)}`, 'as it is'],
    ['SET k v EXAT 1700000101', 'SET k v EXAT 1700000100'],
    ['SET k v EXAT 1700000001', 'SET k v EXAT 1700000011'],
    [`SET k v PXAT ${FAR}`, `SET k v PXAT ${at(100_000)}`],
    [`SET k v PX ${FAR}`, 'as it is'],
    [`SET k v EX ${FAR}`, 'as it is'],
    ['SET k v EX 0', 'as it is'],
    // The last one counts.
    ['SET k v EX 5000 EX 6000', 'SET k v EX 5000 EX 100'],
    ['SET k v EX 5000 EX 60', 'as it is'],
    // Without one it may live for ever: there is no default.
    ['SET k v', 'as it is'],
    ['SETEX k 500 v', 'SETEX k 100 v'],
    ['PSETEX k 5 v', 'PSETEX k 10000 v'],
    ['SETEX k -1 v', 'as it is'],
    ['GETEX k EX 500', 'GETEX k EX 100'],
    ['GETEX k PX 5', 'GETEX k PX 10000'],
    [`GETEX k PXAT ${at(500_000)}`, `GETEX k PXAT ${at(100_000)}`],
    ['GETEX k EX 500 PX 500000', 'as it is'],
    ['EXPIRE k 500', 'EXPIRE k 100'],
    ['EXPIRE k 500 GT', 'EXPIRE k 100 GT'],
    ['EXPIRE k 500 nx xx', 'EXPIRE k 100 nx xx'],
    ['EXPIRE k 0', 'as it is'],
    ['EXPIRE k -500', 'as it is'],
    ['PEXPIRE k 5 LT', 'PEXPIRE k 10000 LT'],
    ['EXPIREAT k 1700005000', 'EXPIREAT k 1700000100'],
    ['EXPIREAT k 1', 'as it is'],
    [`PEXPIREAT k ${at(5)}`, `PEXPIREAT k ${at(10_000)}`],
    ['RESTORE k 500000 payload REPLACE', 'RESTORE k 100000 payload REPLACE'],
    ['RESTORE k 0 payload', 'as it is'],
    ['RESTORE k -1 payload', 'as it is'],
    [`RESTORE k ${at(500_000)} payload ABSTTL`, `RESTORE k ${at(100_000)} payload ABSTTL`],
    ['RESTORE k 500000 payload NOPE', 'as it is'],
  ])('%s', (words, expected) => {
    expect(told(bounded, words)).toEqual([expected])
  })

  test('of several keys the strictest rule counts for all', () => {
    const rules = [
      ttlRule({ keys: 'day:*', max: 24 * HOUR }),
      ttlRule({ keys: 'hour:*', max: HOUR }),
      ttlRule({ keys: 'long:*', min: 48 * HOUR }),
    ]
    const sent = (words: string) => world.ask(rules, words).sent?.join(' ')
    expect(sent('MSETEX 2 day:1 v hour:1 v PX 999999999')).toBe(`MSETEX 2 day:1 v hour:1 v PX ${HOUR}`)
    expect(sent('MSETEX 2 hour:1 v day:1 v PX 999999999')).toBe(`MSETEX 2 hour:1 v day:1 v PX ${HOUR}`)
    expect(sent('MSETEX 3 none v long:1 v hour:1 v EX 999999999')).toBe('MSETEX 3 none v long:1 v hour:1 v EX 3600')
    expect(sent('MSETEX 2 none v long:1 v EX 5')).toBe(`MSETEX 2 none v long:1 v EX ${48 * 3600}`)
    expect(sent('MSETEX 1 none v EX 999999999')).toBeUndefined()
    expect(sent('MSETEX 9 day:1 v EX 999999999')).toBeUndefined()
  })

  test('are counted where something was changed', () => {
    for (const words of ['EXPIRE k 500', 'EXPIRE k 5', 'EXPIRE k 50', 'EXPIRE k 0', 'EXPIRE k x', 'SET k v EX 101'])
      world.ask([bounded], words)
    expect(world.ttl.view()).toEqual([expect.objectContaining({ clampedMax: 2, clampedMin: 1, defaulted: 0 })])
  })

  test('a whole second stays one though the rule wants less', () => {
    expect(told(ttlRule({ max: 500 }), 'EXPIRE k 1')).toEqual(['as it is'])
    expect(world.ttl.view()).toEqual([expect.objectContaining({ clampedMax: 0 })])
    expect(told(ttlRule({ max: 500 }), 'EXPIRE k 2')).toEqual(['EXPIRE k 1'])
  })

  test('jitter applies to what the rule sets', () => {
    const rule = ttlRule({ default: 20_000, max: 100_000, jitter: 0.5 })
    world.dice = 0.5
    expect(told(rule, 'SET k v')).toEqual(['SET k v PX 15000'])
    expect(told(rule, 'INCR k')).toEqual(['as it is', 'then k 15000'])
    expect(told(rule, 'EXPIRE k 5000')).toEqual(['EXPIRE k 75'])
    expect(told(rule, 'EXPIRE k 90')).toEqual(['as it is'])
  })
})

describe('persist', () => {
  const times = { default: HOUR, max: 2 * HOUR }
  test.each([
    ['allow', 'PERSIST k', ['as it is']],
    ['allow', 'GETEX k PERSIST', ['as it is']],
    ['deny', 'PERSIST k', ['answered ":0\\r\\n"']],
    ['deny', 'GETEX k persist', ['GETEX k', THEN]],
    ['deny', 'GETEX k PERSIST PERSIST', ['GETEX k', THEN]],
    ['deny', 'GETEX k PERSIST NOPE', ['as it is', THEN]],
    ['clamp', 'PERSIST k', ['as it is', THEN]],
    ['clamp', 'GETEX k PERSIST', ['as it is', THEN]],
  ] as const)('%s: %s', (persist, words, expected) => {
    expect(told(ttlRule({ ...times, persist }), words)).toEqual(expected)
  })

  test('clamp without a default gives max', () => {
    const rule = ttlRule({ max: 5000, persist: 'clamp' })
    expect(told(rule, 'PERSIST k')).toEqual(['as it is', 'then k 5000'])
    expect(told(rule, 'GETEX k')).toEqual(['as it is'])
    expect(world.ttl.view()).toEqual([expect.objectContaining({ persistClamped: 1, defaulted: 0 })])
  })

  test('deny alone', () => {
    const rule = ttlRule({ persist: 'deny' })
    expect(told(rule, 'GETEX k PERSIST')).toEqual(['GETEX k'])
    expect(told(rule, 'SET k v')).toEqual(['as it is'])
    expect(world.ask([rule], 'PERSIST k').ruling.refusal).toBe('')
    expect(world.ttl.view()).toEqual([expect.objectContaining({ persistDenied: 2 })])
  })
})

describe('a dry run', () => {
  test('changes nothing and counts', () => {
    const rule = ttlRule({ default: HOUR, max: HOUR, min: 10_000, persist: 'deny', dryRun: true })
    const requests = [
      'SET k v',
      'SET k v NX',
      'INCR k',
      'MSET k v l v',
      'RESTORE k 0 x',
      'SET k v EX 99999',
      'EXPIRE k 1',
    ]
    for (const words of [...requests, 'PERSIST k', 'GETEX k PERSIST', 'COPY a k']) {
      const { verdict, sent, behind, ruling } = world.ask([rule], words)
      expect([verdict, sent, behind, ruling.effects]).toEqual(['go', undefined, [], undefined])
    }
    expect(world.ttl.view()).toEqual([
      {
        tenant: 'acme',
        keys: '*',
        dryRun: true,
        defaulted: 8,
        clampedMax: 1,
        clampedMin: 1,
        persistDenied: 2,
        persistClamped: 0,
        failed: 0,
      },
    ])
    world.ask([ttlRule({ default: HOUR, persist: 'clamp', dryRun: true })], 'PERSIST k')
    expect(world.ttl.view()).toEqual([expect.objectContaining({ persistClamped: 1 })])
  })
})
