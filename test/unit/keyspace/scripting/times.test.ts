import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ArgView } from '../../../../src/commands/arg-view.ts'
import { findKeys } from '../../../../src/commands/keys.ts'
import { type CommandSpec, KeyList } from '../../../../src/commands/spec.ts'
import { globMatches } from '../../../../src/lib/glob.ts'
import type { TtlRule } from '../../../../src/session/tenant.ts'
import { request } from '../../../helpers/raw-client.ts'
import { WRITE_ROWS } from '../../../helpers/write-rows.ts'
import { NO_RULE, servers, TABLE, tenantWith, World } from './world.ts'

const HOUR = 3_600_000

/** Commands after which no key is given an expiry, by docs/ttl.md, or that scripts may not call. */
const WITHOUT = new Set([
  'del',
  'unlink',
  'flushall',
  'flushdb',
  'persist',
  'expire',
  'expireat',
  'pexpireat',
  'getex',
  'move',
])

describe.each(await servers())('$kind $version', (server) => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ redis: server })
  })
  afterAll(() => world?.close())
  beforeEach(() => world.flush())

  const tenantOf = (...rules: readonly Partial<TtlRule>[]) =>
    tenantWith({ ttl: rules.map((rule) => ({ ...NO_RULE, ...rule })) })

  async function run(script: string, ...rules: readonly Partial<TtlRule>[]): Promise<string> {
    return world.run(script, [], [], tenantOf(...rules))
  }

  /** Milliseconds that the tenant's key has yet to live; -1: for ever, -2: there is none. */
  async function left(key: string): Promise<number> {
    return Number((await world.inside.command('PTTL', `acme:${key}`)).slice(1))
  }

  async function expectLeft(key: string, most: number): Promise<void> {
    const time = await left(key)
    expect(time, key).toBeGreaterThan(most - 60_000)
    expect(time, key).toBeLessThanOrEqual(most)
  }

  test('every command that writes leaves its keys with the default', async () => {
    const rows = Object.entries(WRITE_ROWS).filter(([name, row]) => !WITHOUT.has(name) && row.databases === undefined)
    for (const [name, { given, write }] of rows) {
      await world.flush()
      const words = (line: string) => line.split(' ')
      for (const line of given) {
        const call = words(line)
          .map((word) => `'${word}'`)
          .join(',')
        expect(await world.run(`return redis.call(${call})`), line).not.toMatch(/^-/)
      }
      if (write.includes('<dump>')) continue
      const [first, ...rest] = words(write)
      const reply = await run(`return redis.call('${first}', ${rest.map((word) => `'${word}'`).join(',')})`, {
        default: HOUR,
      })
      // Redis 7.0 refuses commands that block.
      if (/^-ERR This .* is not allowed from script/.test(reply)) continue
      expect(reply, name).not.toMatch(/^-/)
      const spec = TABLE.byName(name)
      const reading = spec?.keySpecs.some(({ flags }) => flags.includes('RO')) ? ['k'] : []
      const keys = new KeyList()
      findKeys(spec as CommandSpec, ArgView.of([first, ...rest].map((word) => Buffer.from(word))), keys)
      const named = ['k', 'd'].filter((key) =>
        keys.at.subarray(0, keys.count).some((at) => [first, ...rest][at] === key),
      )
      expect(named.length, name).toBeGreaterThan(0)
      for (const key of named) {
        const time = await left(key)
        if (time === -2) continue
        if (named.length > 1 && reading.includes(key)) expect(time, `${name} ${key}`).toBe(-1)
        else if (!/^(psetex|setex|pexpire)$/.test(name)) expect(time, `${name} ${key}`).toBeGreaterThan(HOUR - 60_000)
      }
    }
  })

  test('replies stay as they are', async () => {
    const script = `return {redis.call('SET', 'k', 'v'), redis.call('INCR', 'n'), redis.call('LPUSH', 'l', 1, 2),
      redis.call('SET', 'k', 'w', 'NX') == false, redis.call('MSET', 'a', 1, 'b', 2), redis.pcall('LPUSH', 'k', 1).err, redis.call('GET', 'k')}`
    expect(await run(script, { default: HOUR })).toBe(await world.runBare(script))
    for (const key of ['k', 'n', 'l', 'a', 'b']) await expectLeft(key, HOUR)
  })

  test('an expiry that a key has stays, and reads give none', async () => {
    await world.inside.exchange(request('SET', 'acme:k', '1', 'PX', 2 * HOUR))
    await world.inside.command('SET', 'acme:r', '1')
    await run(`redis.call('INCR', 'k') redis.call('GET', 'r') redis.call('ZUNIONSTORE', 'd', 1, 'r2') return 1`, {
      default: HOUR,
    })
    await expectLeft('k', 2 * HOUR)
    expect(await left('r')).toBe(-1)
  })

  test('max and min bound what a script asks for, and only that', async () => {
    const rule = { max: HOUR, min: 60_000 * 10 }
    await run(
      `redis.call('SET', 'a', 1, 'EX', 7200) redis.call('SETEX', 'b', 1, 'x') redis.call('SET', 'c', 1) redis.call('EXPIRE', 'c', 1)
      redis.call('SET', 'd', 1) redis.call('PEXPIREAT', 'd', '99999999999999') redis.call('SET', 'e', 1, 'PX', 1800000)
      redis.call('SET', 'f', 1) redis.call('EXPIRE', 'f', -1) return 1`,
      rule,
    )
    await expectLeft('a', HOUR)
    await expectLeft('b', 600_000)
    await expectLeft('c', 600_000)
    await expectLeft('d', HOUR)
    await expectLeft('e', HOUR / 2)
    expect(await left('f')).toBe(-2)
    // What is left of a time is not what was asked for: a counter in its window goes on ending with it.
    await world.inside.exchange(request('SET', 'acme:n', '1', 'PX', 120_000))
    await run(
      `redis.call('INCR', 'n') redis.call('SET', 'n', 1, 'NX', 'EX', 90) redis.call('EXPIRE', 'n', 90, 'NX') return 1`,
      rule,
    )
    await expectLeft('n', 120_000)
  })

  test('the first rule that matches counts, dry runs change nothing', async () => {
    const rules = [
      { keys: 'a:*', dryRun: true, default: HOUR },
      { keys: 'a:1', default: HOUR },
      { keys: '*:[x-z]?', default: HOUR },
      { keys: 'ex', default: 2 * HOUR },
    ]
    await run(
      `for _, k in ipairs({'a:1', 'b:y1', 'b:w1', 'ex', 'exa'}) do redis.call('SET', k, 1) end return 1`,
      ...rules,
    )
    expect([await left('a:1'), await left('b:w1'), await left('exa')]).toEqual([-1, -1, -1])
    await expectLeft('b:y1', HOUR)
    await expectLeft('ex', 2 * HOUR)
  })

  test('PERSIST and GETEX PERSIST follow the rule', async () => {
    const timed = async () => world.inside.exchange(request('SET', 'acme:k', 'v', 'PX', 2 * HOUR))
    for (const [script, kept] of [
      [`return redis.call('PERSIST', 'k')`, ':0\r\n'],
      [`return redis.call('GETEX', 'k', 'PERSIST')`, '$1\r\nv\r\n'],
    ]) {
      await timed()
      expect(await run(script, { default: HOUR, persist: 'deny' })).toBe(kept)
      await expectLeft('k', 2 * HOUR)
      await timed()
      await run(script, { max: HOUR, persist: 'clamp' })
      await expectLeft('k', HOUR)
      await timed()
      await run(script, { default: HOUR, persist: 'allow' })
      expect(await left('k')).toBe(-1)
    }
  })

  test('jitter makes times shorter, and not all alike', async () => {
    await run(`for i = 1, 40 do redis.call('SET', 'j' .. i, 1) end return 1`, { default: HOUR, jitter: 0.5 })
    const times: number[] = []
    for (let i = 1; i <= 40; i++) times.push(await left(`j${i}`))
    expect(Math.max(...times)).toBeLessThanOrEqual(HOUR)
    expect(Math.min(...times)).toBeGreaterThan(HOUR / 2 - 60_000)
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(HOUR / 20)
  })

  test('other databases have the rules, too', async () => {
    const tenant = tenantWith({ databases: 2, ttl: [{ ...NO_RULE, keys: 'k', default: HOUR }] })
    await world.run(
      `redis.call('SET', 'k', 1) redis.call('PERSIST', 'k') redis.call('COPY', 'k', 'k', 'DB', 1) redis.call('SELECT', 1)
      redis.call('RENAME', 'k', 'x') redis.call('RENAME', 'x', 'k') return 1`,
      [],
      [],
      tenant,
    )
    await expectLeft('1:k', HOUR)
    expect(await left('0:k')).toBe(-1)
    await world.run(
      `redis.call('DEL', 'k') redis.call('SELECT', 1) redis.call('PERSIST', 'k') return redis.call('MOVE', 'k', 0)`,
      [],
      [],
      tenant,
    )
    await expectLeft('0:k', HOUR)
  })

  test('patterns match as in KEYS', async () => {
    const patterns = [
      'a',
      'a*',
      '*a',
      'a*b*c',
      '?b',
      '[ab]',
      '[^ab]',
      '[a-c]x',
      '[c-a]x',
      '\\*',
      'a\\',
      '[a',
      '[]',
      '[^]',
      '**',
      '*[0-9]',
      'a?*',
      '[\\]]',
      '[a-',
      '[a-]',
      'h[é]',
      '*é',
      'a\\?b',
    ]
    const names = [
      'a',
      'b',
      'c',
      'ab',
      'abc',
      'axbyc',
      'ax',
      'bx',
      'dx',
      '*',
      'a\\',
      '[a',
      '',
      ']',
      'x5',
      'a1',
      '-',
      'h\xc3\xa9',
      'é',
      'a?b',
      'axb',
    ]
    for (const keys of patterns) {
      await world.flush()
      await run(
        `for _, k in ipairs({${names.map((name) => JSON.stringify(name)).join(',')}}) do redis.call('SET', k, 1) end return 1`,
        { keys, default: HOUR },
      )
      for (const name of names) {
        const matches = globMatches(Buffer.from(keys), Buffer.from(name)) || (name === '' && /^\*+$/.test(keys))
        expect((await left(name)) > 0, `${keys} ${JSON.stringify(name)}`).toBe(matches)
      }
    }
  })
})
