import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config/load.ts'
import { ConfigError } from '../../../src/config/problem.ts'
import type { TtlRule } from '../../../src/session/tenant.ts'

function rules(ttl: string): readonly TtlRule[] {
  const text = `
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants: {acme: {upstream: main, users: {default: {password: x}}, ${ttl}}}
`
  return parseConfig(text, { source: 'k.yaml', env: {}, baseDir: '/nowhere' }).tenants.get('acme')?.ttl ?? []
}

/** [path inside the list, message, cure] of everything that is wrong. */
function wrong(ttl: string): readonly (readonly string[])[] {
  try {
    rules(ttl)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, message, cure }) => [path.replace('tenants.acme.ttl', ''), message, cure])
  }
  return []
}

const HOUR = 3_600_000

describe('a rule', () => {
  it('has everything that the file says', () => {
    const keys = 'keys: "job:*", default: 24h, max: 48h, min: 1m, jitter: 10%, persist: clamp, dryRun: true'
    expect(rules(`ttl: [{${keys}}]`)).toEqual([
      {
        keys: 'job:*',
        default: 24 * HOUR,
        max: 48 * HOUR,
        min: 60_000,
        jitter: 0.1,
        persist: 'clamp',
        dryRun: true,
      },
    ])
  })

  it('says nothing of what the file leaves out', () => {
    expect(rules('ttl: [{max: 1h}]')).toEqual([
      { keys: '*', default: undefined, max: HOUR, min: undefined, jitter: 0, persist: 'allow', dryRun: false },
    ])
  })

  it.each([
    'default: 1h',
    'max: 1h',
    'min: 1h',
    'persist: deny',
    'persist: clamp, max: 1h',
    'persist: clamp, default: 1h',
  ])('may consist of %s alone', (keys) => {
    expect(rules(`ttl: [{${keys}}]`)).toHaveLength(1)
  })

  it.each(['', 'persist: allow', 'dryRun: true', 'keys: "a*"', 'jitter: 10%'])('must change something: %s', (keys) => {
    expect(wrong(`ttl: [{${keys}}]`)).toEqual([
      ['[0]', 'changes nothing', 'add default: 24h, or max, min, or persist: deny'],
    ])
  })

  it('may be as long as keys live, which is longer than timers run', () => {
    expect(rules('ttl: [{default: 1ms, max: 876000h}]')).toMatchObject([{ default: 1, max: 100 * 365 * 24 * HOUR }])
    expect(wrong('ttl: [{default: 876001h}]')).toEqual([
      ['[0].default', '"876001h" is too long', 'write at most 876000h'],
    ])
    expect(wrong('ttl: [{default: 365d}]')).toEqual([['[0].default', '"365d" is not a duration', 'write 8760h']])
  })

  it('may have one time for all three', () => {
    expect(rules('ttl: [{min: 1h, default: 1h, max: 1h}]')).toHaveLength(1)
  })

  it.each([
    ['min: 2h, max: 1h', '.min', '2h is more than max, 1h', 'write at most 1h, or a larger max'],
    ['default: 2h, max: 1h', '.default', '2h is more than max, 1h', 'write at most 1h, or a larger max'],
    ['default: 1h, min: 2h', '.default', '1h is less than min, 2h', 'write at least 2h, or a smaller min'],
    // What default should be is not known before the other two are right.
    ['default: 90m, min: 2h, max: 1h', '.min', '2h is more than max, 1h', 'write at most 1h, or a larger max'],
    [
      'min: 1m, jitter: 1%',
      '.jitter',
      'means nothing without default or max',
      'remove it, or add default: 24h or max: 48h',
    ],
    ['persist: clamp', '.persist', 'clamp needs a time', 'add default: 24h or max: 48h, or write deny'],
    ['min: 1m, persist: clamp', '.persist', 'clamp needs a time', 'add default: 24h or max: 48h, or write deny'],
  ])('%s does not fit', (keys, path, message, cure) => {
    expect(wrong(`ttl: [{${keys}}]`)).toEqual([[`[0]${path}`, message, cure]])
  })

  it.each(['default: 1x, jitter: 10%, persist: clamp', 'max: 1x, default: 1h', 'min: 1x', 'persist: clmp'])(
    '%s has one problem: what was meant is not guessed',
    (keys) => {
      expect(wrong(`ttl: [{${keys}}]`)).toHaveLength(1)
    },
  )
})

describe('rules', () => {
  it('are none where the file is silent', () => {
    expect(rules('weight: 1')).toEqual([])
    expect(rules('ttl: []')).toEqual([])
  })

  it('are asked in the order of the file', () => {
    const ttl = 'ttl: [{keys: "b*", max: 1h}, {keys: "a*", max: 2h}, {keys: "*", max: 3h}]'
    expect(rules(ttl).map(({ keys }) => keys)).toEqual(['b*', 'a*', '*'])
  })

  it('that are never reached are told', () => {
    const ttl =
      'ttl: [{keys: "a*", max: 1h}, {keys: "a*", max: 2h}, {max: 1h}, {keys: "b*", max: 1h}, {keys: "***", max: 1h}]'
    expect(wrong(ttl)).toEqual([
      ['[1].keys', 'ttl[0] has these keys already, and counts', 'remove one of the two'],
      ['[3].keys', 'never counts: ttl[2] takes all keys', 'put it before ttl[2]'],
      ['[4].keys', 'never counts: ttl[2] takes all keys', 'put it before ttl[2]'],
    ])
  })

  it('of which one is wrong hide nothing of the others', () => {
    expect(wrong('ttl: [null, {keis: "a*", max: 1h}, {keys: "b*", min: 2h, max: 1h}]').map(([path]) => path)).toEqual([
      '[0]',
      '[1].keis',
      '[2].min',
    ])
  })
})
