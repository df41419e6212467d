import { describe, expect, it } from 'vitest'
import { burst } from '../../../src/config/kinds.ts'
import { parseConfig } from '../../../src/config/load.ts'
import { ConfigError, type Problem } from '../../../src/config/problem.ts'
import { type Reading, readDuration, readRate, readSize } from '../../../src/config/units.ts'
import type { LimitRule, Tenant } from '../../../src/session/tenant.ts'

function withTenant(keys: string): string {
  return `
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants:
  acme:
    upstream: main
    users: {default: {password: x}}
    ${keys}
`
}

function tenant(keys: string): Tenant {
  const config = parseConfig(withTenant(keys), { source: 'k.yaml', env: {}, baseDir: '/nowhere' })
  return config.tenants.get('acme') as Tenant
}

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfig(text, { source: 'k.yaml', env: {}, baseDir: '/nowhere' })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
  }
  return []
}

function problems(keys: string): readonly Problem[] {
  return problemsOf(withTenant(keys))
}

/** [path inside the tenant, message] of everything that is wrong with it. */
function wrongs(keys: string): readonly (readonly string[])[] {
  return problems(keys).map(({ path, message }) => [path.replace('tenants.acme.', ''), message])
}

function rule(keys: string): LimitRule {
  const { limits } = tenant(`limits: [{name: one, ${keys}}]`)
  expect(limits).toHaveLength(1)
  return limits[0]
}

/** [path inside the rule, message, cure] of everything that is wrong with it. */
function wrong(keys: string): readonly (readonly string[])[] {
  return problems(`limits: [{name: one, ${keys}}]`).map(({ path, message, cure }) => [
    path.replace(/^tenants\.acme\.limits\[0\]\.?/, ''),
    message,
    cure,
  ])
}

describe('a rate', () => {
  it.each([
    ['100/s', 'operations', 100],
    ['6000/m', 'operations', 100],
    ['90/m', 'operations', 1.5],
    ['3600/h', 'operations', 1],
    ['1000000000/s', 'operations', 1e9],
    ['1/h', 'operations', 1 / 3600],
    ['10MiB/s', 'bytes', 10 * 2 ** 20],
    ['60KiB/m', 'bytes', 1024],
    ['1GiB/h', 'bytes', 2 ** 30 / 3600],
    ['512B/s', 'bytes', 512],
    ['1024GiB/s', 'bytes', 2 ** 40],
  ])('%s', (text, unit, perSecond) => expect(readRate(text)).toEqual({ value: { unit, perSecond, text } }))

  it.each([
    [100, 'write a unit of time with it: 100/s, 100/m or 100/h'],
    ['100', 'write a unit of time with it: 100/s, 100/m or 100/h'],
    ['10MiB', 'write a unit of time with it: 10MiB/s, 10MiB/m or 10MiB/h'],
    ['10mb', 'write a unit of time with it: 10MiB/s, 10MiB/m or 10MiB/h'],
    ['100/sec', 'write 100/s'],
    ['100 per second', 'write 100/s'],
    ['100 / s', 'write 100/s'],
    ['100/S', 'write 100/s'],
    ['10,000/s', 'write 10000/s'],
    ['60/min', 'write 60/m'],
    ['60 requests per minute', 'write 60/m'],
    ['600rpm', 'write 600/m'],
    ['100rps', 'write 100/s'],
    ['100ops', 'write 100/s'],
    ['5 per hour', 'write 5/h'],
    ['0.5/s', 'write 30/m'],
    ['10MB/s', 'write 10MiB/s'],
    ['10MBps', 'write 10MiB/s'],
    ['10 mib per minute', 'write 10MiB/m'],
    ['10k/s', 'write 10000/s for operations, 10KiB/s for bytes'],
    ['1.5MiB/s', 'write a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'],
    ['100/d', 'write a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'],
    ['100ms', 'write a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'],
    ['fast', 'write a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'],
    [null, 'write a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'],
    ['0/s', 'write at least 1/h'],
    ['0MiB/s', 'write at least 1MiB/h'],
    ['1000000001/s', 'write at most 1000000000/s'],
    ['1025GiB/s', 'write at most 1024GiB/s'],
    [`${'9'.repeat(400)}/h`, 'write at most 1000000000/s'],
  ])('%s is none', (raw, cure) => expect(readRate(raw)).toMatchObject({ message: expect.any(String), cure }))

  it.each([
    [0, 'write at least 1/h'],
    ['0', 'write at least 1/h'],
    ['0MiB', 'write at least 1MiB/h'],
    ['0/sec', 'write at least 1/h'],
    ['0 MB per second', 'write at least 1MiB/h'],
    ['0k/s', 'write at least 1/h'],
    ['5000000000', 'write a unit of time with it: 5000000000/m or 5000000000/h'],
    ['5000000k/s', 'write 5000000KiB/s for bytes'],
    ['9000000000 per second', 'write at most 1000000000/s'],
  ])('%s is not cured with one that is refused', (raw, cure) => expect(readRate(raw)).toMatchObject({ cure }))
})

describe('a rule', () => {
  it('has the documented defaults', () => {
    expect(rule('rate: 100/s')).toEqual({
      name: 'one',
      unit: 'operations',
      rate: 100,
      rateText: '100/s',
      burst: 100,
      per: 'tenant',
      scope: 'local',
      action: 'reject',
      maxDelay: 1000,
      maxDelayed: 100_000,
      onError: 'local',
      commands: '+@all -@connection -@transaction',
      keys: undefined,
      costs: [],
      replyUnit: undefined,
      buckets: 100_000,
    })
  })

  it.each([
    ['60/m', 1],
    ['1/h', 1],
    ['119/m', 1],
    ['6000/m', 100],
    ['1MiB/s', 2 ** 20],
    ['1B/h', 1],
    ['1KiB/m', 17],
  ])('of %s has a burst of %i, whole tokens of one second', (rate, burst) => {
    expect(rule(`rate: ${rate}`).burst).toBe(burst)
  })

  it('has a burst in the unit of its rate', () => {
    expect(rule('rate: 1/s, burst: 500').burst).toBe(500)
    expect(rule('rate: 1B/s, burst: 2MiB').burst).toBe(2 ** 21)
    expect(wrong('rate: 1/s, burst: 2MiB')).toEqual([
      ['burst', 'is a size, but the rate 1/s counts operations', 'write a number, such as 100'],
    ])
    expect(wrong('rate: 1MiB/m, burst: 4096')).toEqual([
      ['burst', 'is a number, but the rate 1MiB/m counts bytes', 'write a size, such as 4KiB'],
    ])
    expect(wrong('rate: 1B/s, burst: 1025GiB')[0][2]).toBe('write at most 1024GiB')
    expect(wrong('rate: 1/s, burst: 1000000001')[0][2]).toBe('write a number from 1 to 1000000000')
    expect(wrong('rate: 1MiB/s, burst: 2MB')[0][2]).toBe('write 2MiB')
  })

  it.each([
    ['maxDelay: 1s', 'action: delay'],
    ['maxDelayed: 1', 'action: delay'],
    ['onError: local', 'scope: global'],
    ['buckets: 1', 'per: address'],
  ])('%s needs %s', (key, other) => {
    const [name] = key.split(':')
    expect(wrong(`rate: 1/s, ${key}`)).toEqual([
      [name, expect.stringMatching(/^means nothing with /), expect.stringMatching(/^remove it/)],
    ])
    expect(wrong(`rate: 1/s, ${key}, ${other}`)).toEqual([])
    // Whoever misspelled the other key meant something that is not known.
    const [others] = other.split(':')
    expect(wrong(`rate: 1/s, ${key}, ${other}x`).map(([path]) => path)).toEqual([others])
  })

  it('in bytes has no costs in operations', () => {
    const keys = 'costs: [{commands: +lrange, cost: 10}], replyUnit: 1KiB'
    expect(rule(`rate: 1/s, ${keys}`)).toMatchObject({ costs: [{ commands: '+lrange', cost: 10 }], replyUnit: 1024 })
    expect(wrong(`rate: 1B/s, ${keys}`).map(([path]) => path)).toEqual(['costs', 'replyUnit'])
  })

  it('per match has keys with a star', () => {
    expect(rule('rate: 1/s, per: match, keys: "a:*"')).toMatchObject({ per: 'match', keys: 'a:*' })
    expect(rule('rate: 1/s, keys: "a"').keys).toBe('a')
    expect(wrong('rate: 1/s, per: match').map(([path]) => path)).toEqual(['keys'])
    for (const keys of ['a', 'a\\*', '[*]', 'a?']) {
      expect(wrong(`rate: 1/s, per: match, keys: '${keys}'`), keys).toEqual([
        ['keys', `${JSON.stringify(keys)} has no * that could be matched`, 'put a * where the names differ'],
      ])
    }
  })

  it('counts some command', () => {
    expect(rule('rate: 1/s, commands: -@dangerous').commands).toBe('-@dangerous')
    expect(wrong('rate: 1/s, commands: +get -get')).toEqual([
      ['commands', 'no command that counts', 'add some, such as +@read'],
    ])
    // Not even where it names some: these never count.
    expect(wrong('rate: 1/s, commands: +@transaction +auth +hello')).toHaveLength(1)
    expect(wrong('rate: 1/s, commands: +@transaction +ping')).toEqual([])
  })

  it('has costs of commands that it counts', () => {
    expect(
      wrong('rate: 1/s, commands: +@read, costs: [{commands: +@write, cost: 2}]').map((one) => one.slice(0, 2)),
    ).toEqual([['costs[0].commands', 'none of them counts here']])
    expect(wrong('rate: 1/s, costs: [{commands: +lrnge, cost: 2}]')).toEqual([
      ['costs[0].commands', '"+lrnge" names no command', 'did you mean +lrange?'],
    ])
  })
})

describe('one wrong entry in a list', () => {
  const ENTRIES = [
    '{name: same, rate: 1/s, maxDelay: 1s}',
    '{name: same, rate: 1/s, burst: 1MiB}',
    '{name: starless, rate: 1/s, per: match, keys: a}',
    '{name: typo, rate: 1/s, commands: "+@wriet"}',
  ]
  const THEIRS = ['[0].maxDelay', '[1].name', '[1].burst', '[2].keys', '[3].commands']

  function told(...entries: readonly string[]): readonly string[] {
    return problems(`limits: [${entries.join(', ')}]`).map(({ path }) => path.replace('tenants.acme.limits', ''))
  }

  it.each([
    ['foo', ''],
    ['null', ''],
    ['[a]', ''],
    ['{name: x, rate: 1/s, burst: 0B}', '.burst'],
    ['{name: x, rate: 1/s, keys: ""}', '.keys'],
    ['{name: x, rate: 1/s, costs: [foo]}', '.costs[0]'],
  ])('%s does not hide what the others mean', (entry, at) => {
    expect(told(...ENTRIES)).toEqual(THEIRS)
    expect(told(...ENTRIES, entry)).toEqual([...THEIRS, `[4]${at}`])
    const [first, ...rest] = told(entry, '{name: x, rate: 1/s, buckets: 1}', '{name: x, rate: 2/s}')
    // The same name as the wrong one's is a third one's problem only where the wrong one has it.
    expect([first, ...rest.filter((path) => !path.endsWith('.name'))]).toEqual([`[0]${at}`, '[1].buckets'])
  })

  it('is told as what it is, however many there are', () => {
    expect(wrongs('limits: [null, foo, 3, [a], {name: x, rate: 1/s, costs: [null, foo]}]')).toEqual([
      ['limits[0]', 'must be a map, not an empty value'],
      ['limits[1]', 'must be a map, not "foo"'],
      ['limits[2]', 'must be a map, not 3'],
      ['limits[3]', 'must be a map, not a list'],
      ['limits[4].costs[0]', 'must be a map, not an empty value'],
      ['limits[4].costs[1]', 'must be a map, not "foo"'],
    ])
  })

  it('is not cured with an empty map, which would be refused', () => {
    expect(problems('limits: [foo]').map(({ cure }) => cure)).toEqual([
      'write its keys after the "- ", at least name and rate',
    ])
  })

  it('of a list that two tenants share is told twice, and so is what the others mean', () => {
    const text = `
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants:
  a: {upstream: main, users: {default: {password: x}}, limits: &rules [null, foo, {name: x, rate: 1/s, commands: [+get]}]}
  b: {upstream: main, users: {default: {password: y}}, limits: *rules}
`
    const told = problemsOf(text).map(({ path, message }) => `${path.replace('tenants.', '')} ${message}`)
    const each = [
      '[0] must be a map, not an empty value',
      '[1] must be a map, not "foo"',
      '[2].commands is a list, not text',
    ]
    expect(told.sort()).toEqual(['a', 'b'].flatMap((name) => each.map((one) => `${name}.limits${one}`)))
  })

  it('among listeners, extensions and sentinels neither', () => {
    const text = `
listeners: [foo, {address: 127.0.0.1:6380, tenant: nobody}, {address: unix:/x, mode: "0660", login: optional}]
upstreams:
  main: {sentinel: {master: m, nodes: [3, "a:1", "a:1"]}}
tenants:
  acme: {upstream: main, extensions: [foo, locks], users: {default: {password: x}}}
`
    expect(problemsOf(text).map(({ path }) => path)).toEqual([
      'listeners[0]',
      'listeners[1].tenant',
      'listeners[2].login',
      'upstreams.main.sentinel.nodes[0]',
      'upstreams.main.sentinel.nodes[2]',
      'tenants.acme.extensions[0]',
      'tenants.acme.extensions[1]',
    ])
  })

  it('with commands of the wrong kind has no costs that miss them', () => {
    expect(told('{name: x, rate: 1/s, commands: [+ping], costs: [{commands: +ping, cost: 2}]}')).toEqual([
      '[0].commands',
    ])
  })
})

describe('a cure', () => {
  const NUMBERS = ['0', '00', '1', '1000', '4096', '5000000000', '99999999999999', '1048577', '9'.repeat(30)]
  const UNITS = [
    '',
    'B',
    'k',
    'MB',
    ' gib',
    'GiB',
    'ms',
    ' sec',
    'min',
    'h',
    'days',
    '/s',
    '/sec',
    ' per hour',
    'k/s',
    'MBps',
    'GiB/h',
    'rpm',
  ]
  const RAW = NUMBERS.flatMap((number) => [Number(number), ...UNITS.map((unit) => number + unit)])

  it.each<[string, (raw: unknown) => Reading<unknown>, RegExp]>([
    ['size', readSize, /\d+(?:B|KiB|MiB|GiB)\b/g],
    ['duration', readDuration, /\d+(?:ms|s|m|h)\b/g],
    ['rate', readRate, /\d+(?:B|KiB|MiB|GiB)?\/[smh]\b/g],
    ['burst', (raw) => burst.read(raw), /\d+(?:B|KiB|MiB|GiB)\b|\d+(?= without)/g],
  ])('of a %s names only what can be read', (_, read, spelling) => {
    let named = 0
    for (const raw of RAW) {
      const reading = read(raw)
      if ('value' in reading) continue
      for (const [text] of reading.cure.matchAll(spelling)) {
        named++
        const again = /^\d+$/.test(text) ? Number(text) : text
        expect(read(again), `${raw}: ${reading.cure}`).toHaveProperty('value')
      }
      expect(reading.cure).not.toMatch(/Infinity|NaN|undefined|\de\+/)
    }
    expect(named).toBeGreaterThan(20)
  })

  it.each([
    ['replyUnit: 0', 'write a size of at least 1B'],
    ['replyUnit: 0k', 'write a size of at least 1B'],
    ['burst: "0"', 'write a number from 1 to 1000000000, or a size, such as 64KiB'],
    ['action: delay, maxDelay: 0', 'write a duration of at least 1ms'],
    ['action: delay, maxDelay: 0sec', 'write a duration of at least 1ms'],
    ['action: delay, maxDelay: 100d', 'write at most 596h'],
    ['action: delay, maxDelay: 5000', 'write a unit with it: 5000ms, 5000s or 5000m'],
  ])('%s', (keys, cure) => expect(wrong(`rate: 1/s, ${keys}`).map((one) => one[2])).toEqual([cure]))

  it('does not quote what is wrong in quotes too', () => {
    expect(problems('limits: [{name: 1.5, rate: 1/s}]')[0].cure).toBe('write a name of 1 to 64 letters, digits, _ or -')
    expect(problems('limits: [{name: 15, rate: 1/s}]')[0].cure).toBe('put it in quotes: "15"')
  })
})

describe('the rules of a tenant', () => {
  it('have names of their own, and the same ones as its neighbours’', () => {
    expect(() => tenant('limits: [{name: a, rate: 1/s}, {name: b, rate: 1/s}, {name: a, rate: 2/s}]')).toThrow(
      'k.yaml:8:65: tenants.acme.limits[2].name: limits[0] has this name already',
    )
    const text = `
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants:
  a: {upstream: main, users: {default: {password: x}}, limits: &rules [{name: all, rate: 1/s}]}
  b: {upstream: main, users: {default: {password: y}}, limits: *rules}
`
    const { tenants } = parseConfig(text, { source: 'k.yaml', env: {}, baseDir: '/nowhere' })
    expect([...tenants.values()].map(({ limits }) => limits.map(({ name }) => name))).toEqual([['all'], ['all']])
  })

  it('are asked in the order of the file', () => {
    const { limits } = tenant('limits: [{name: z, rate: 1/s}, {name: a, rate: 1/s}, {name: m, rate: 1/s}]')
    expect(limits.map(({ name }) => name)).toEqual(['z', 'a', 'm'])
  })
})

describe('weight and extensions', () => {
  it('are 1 and none where the file is silent', () => {
    expect(tenant('')).toMatchObject({ limits: [], weight: 1, extensions: new Set() })
  })

  it('are taken from the file', () => {
    expect(tenant('weight: 1000')).toMatchObject({ weight: 1000 })
    expect(tenant('extensions: [throttle]').extensions).toEqual(new Set(['throttle']))
    expect(() => tenant('weight: 1001')).toThrow('1001 is not a whole number from 1 to 1000')
    expect(() => tenant('extensions: [locks]')).toThrow('"locks" is not enforced by this version yet')
    expect(() => tenant('extensions: [throtle]')).toThrow('known: throttle')
  })
})
