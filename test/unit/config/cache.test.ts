import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config/load.ts'
import { ConfigError } from '../../../src/config/problem.ts'
import type { Tenant } from '../../../src/session/tenant.ts'

function tenant(keys: string): Tenant {
  const text = `
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants: {acme: {upstream: main, users: {default: {password: x}}, ${keys}}}
`
  return parseConfig(text, { source: 'k.yaml', env: {}, baseDir: '/nowhere' }).tenants.get('acme') as Tenant
}

/** [path inside the tenant, message, cure] of everything that is wrong. */
function wrong(keys: string): readonly (readonly string[])[] {
  try {
    tenant(keys)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, message, cure }) => [path.replace('tenants.acme.', ''), message, cure])
  }
  return []
}

describe('a cache', () => {
  it('is not there where the file is silent', () => {
    expect(tenant('weight: 1').cache).toBeUndefined()
  })

  it('has everything that the file says', () => {
    const rules = '[{keys: "a*", maxAge: 1m, negative: 5s, jitter: 0%}, {keys: "*", maxAge: 596h, negative: off}]'
    const limits = 'maxFetches: 10, maxFollowers: 20'
    expect(
      tenant(`cache: {${limits}, memory: 1GiB, maxStaleness: 2s, staleWhileDown: 60s, rules: ${rules}}`).cache,
    ).toEqual({
      memory: 2 ** 30,
      maxStaleness: 2000,
      staleWhileDown: 60_000,
      maxFetches: 10,
      maxFollowers: 20,
      rules: [
        { keys: 'a*', maxAge: 60_000, negative: 5000, jitter: 0 },
        { keys: '*', maxAge: 596 * 3_600_000, negative: 0, jitter: 0.1 },
      ],
    })
  })

  it('has its defaults', () => {
    expect(tenant('cache: {rules: [{keys: "*"}]}').cache).toEqual({
      memory: 64 * 2 ** 20,
      maxStaleness: 1000,
      staleWhileDown: 0,
      maxFetches: 4096,
      maxFollowers: 10_000,
      rules: [{ keys: '*', maxAge: 30_000, negative: 0, jitter: 0.1 }],
    })
  })

  it('is there for a tenant without a prefix, too', () => {
    expect(tenant('prefix: "", cache: {rules: [{keys: "*"}]}').cache?.rules).toHaveLength(1)
  })

  it.each([
    ['memory: 65535B', 'memory', '65535B is too little for a cache', 'write at least 64KiB'],
    ['maxFetches: 0', 'maxFetches', '0 is not a whole number from 1 to 1000000', 'write a number from 1 to 1000000'],
    [
      'maxFollowers: many',
      'maxFollowers',
      '"many" is not a whole number from 1 to 1000000',
      'write a number from 1 to 1000000',
    ],
    ['memory: 64', 'memory', '64 is not a size', 'write 64B'],
    ['maxStaleness: 499ms', 'maxStaleness', '499ms is less than can be known of the upstream', 'write at least 500ms'],
    ['staleWhileDown: 0s', 'staleWhileDown', '"0s" is no time at all', 'write off, or a duration of at least 1ms'],
    ['staleWhileDown: false', 'staleWhileDown', 'false is no time at all', 'write off, or a duration of at least 1ms'],
    ['staleWhileDown: 1d', 'staleWhileDown', '"1d" is not a duration', 'write 24h'],
  ])('%s is refused', (keys, path, message, cure) => {
    expect(wrong(`cache: {${keys}, rules: [{keys: "*"}]}`)).toEqual([[`cache.${path}`, message, cure]])
  })

  it.each(['{}', '{rules: []}', '{memory: 1MiB}'])('needs a rule: %s', (cache) => {
    const cure = 'add one: rules: [{keys: "cache:*", maxAge: 30s}]'
    expect(wrong(`cache: ${cache}`)).toEqual([['cache', 'has no rule', cure]])
  })

  it.each(['true', '3', '[{keys: "*"}]'])('%s in its place is not cured with an empty map', (cache) => {
    expect(wrong(`cache: ${cache}`).map(([, , cure]) => cure)).toEqual([
      'write its keys indented below it, at least rules',
    ])
  })
})

describe('its rules', () => {
  it('keep their order', () => {
    const rules = tenant('cache: {rules: [{keys: "b*"}, {keys: "a*"}, {keys: "*"}]}').cache?.rules
    expect(rules?.map(({ keys }) => keys)).toEqual(['b*', 'a*', '*'])
  })

  it('say of which keys', () => {
    expect(wrong('cache: {rules: [{maxAge: 5s}]}')).toEqual([
      ['cache.rules[0].keys', 'is missing', 'add `keys: <pattern>`'],
    ])
  })

  it('that are never reached are told', () => {
    expect(wrong('cache: {rules: [{keys: "a*"}, {keys: "a*"}, {keys: "**"}, {keys: "b*"}]}')).toEqual([
      ['cache.rules[1].keys', 'rules[0] has these keys already, and counts', 'remove one of the two'],
      ['cache.rules[3].keys', 'never counts: rules[2] takes all keys', 'put it before rules[2]'],
    ])
  })

  it.each([
    [
      'maxAge: off',
      'maxAge',
      '"off" is not a duration',
      'write a whole number and a unit, such as 250ms, 5s, 10m or 24h',
    ],
    ['maxAge: 597h', 'maxAge', '"597h" is too long', 'write at most 596h'],
    ['negative: 0', 'negative', '0 is no time at all', 'write off, or a duration of at least 1ms'],
    ['negative: 5', 'negative', '5 is not a duration', 'write a unit with it: 5ms, 5s, 5m or 5h'],
    ['negative: 1m', 'negative', '1m is more than maxAge, 30s', 'write at most 30s, or a larger maxAge'],
    ['maxAge: 5, negative: 1m', 'maxAge', '5 is not a duration', 'write a unit with it: 5ms, 5s, 5m or 5h'],
    ['jitter: 0.25', 'jitter', '0.25 is not a share', 'write 25%'],
    ['jitter: 5', 'jitter', '5 is not a share', 'write 5%'],
    ['jitter: 100%', 'jitter', '"100%" is not less than all of it', 'write whole percents from "0%" to "99%"'],
  ])('%s is refused', (keys, path, message, cure) => {
    expect(wrong(`cache: {rules: [{keys: "a*", ${keys}}]}`)).toEqual([[`cache.rules[0].${path}`, message, cure]])
  })
})

describe('the extension', () => {
  it('may be there with a cache, and without one', () => {
    expect(tenant('extensions: [cache]').extensions).toEqual(new Set(['cache']))
    expect(tenant('extensions: [cache, throttle], cache: {rules: [{keys: "*"}]}').extensions).toEqual(
      new Set(['cache', 'throttle']),
    )
  })
})
