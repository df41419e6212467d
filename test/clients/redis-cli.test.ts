import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisCli } from './redis-cli.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** redis-cli: single commands, a script on standard input, and mass insertion with --pipe. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  await stage?.stop()
})

skip('redis-cli', undefined)

const cli = (args: readonly string[], input?: string) => redisCli(stage.keyward.port, args, input)

describe.each([
  ['RESP2', ['-2']],
  ['RESP3', ['-3']],
  ['default', []],
] as const)('redis-cli, %s', (_, version) => {
  const acme = (...args: string[]) => cli([...version, '-a', 'acme', '--no-auth-warning', ...args])
  const script = (lines: readonly string[], tenant = 'acme') =>
    cli([...version, '-a', tenant, '--no-auth-warning'], `${lines.join('\n')}\n`)

  beforeAll(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  test('single commands', async () => {
    expect(await acme('SET', 'k', 'value')).toBe('OK\n')
    expect(await acme('GET', 'k')).toBe('value\n')
    expect(await acme('GET', 'nothing')).toBe('\n')
    expect(await acme('--json', 'HSET', 'h', 'a', '1')).toBe('1\n')
    expect(await acme('HGETALL', 'h')).toMatch(/^a\s1\n$/)
    expect(await acme('-n', '0', 'GET', 'k')).toBe('value\n')
    expect(await cli([...version, '--user', 'default', '--pass', 'beta', '--no-auth-warning', 'GET', 'k'])).toBe('\n')
    expect(await cli([...version, 'GET', 'k'])).toContain('NOAUTH')
    expect(await cli([...version, '-a', 'wrong', '--no-auth-warning', 'GET', 'k'])).toContain('NOAUTH')
  })

  test('a session on standard input: transactions, lists, streams, blocking pops', async () => {
    const lines = [
      'SET a 1',
      'MULTI',
      'INCR a',
      'GET a',
      'EXEC',
      'RPUSH q x y',
      'BLPOP q 1',
      'WATCH a',
      'SET a 5',
      'MULTI',
      'GET a',
      'EXEC',
      'XADD s 1-1 f v',
      'XREAD STREAMS s 0',
      'ZADD z 1 m',
      'ZPOPMIN z',
      'SADD set a',
      'SMEMBERS set',
      'NOSUCH a',
    ]
    const through = await script(lines)
    await stage.redis.cli('FLUSHALL')
    const bare = await redisCli(stage.redis.port, version, `${lines.join('\n')}\n`)
    expect(bare).toContain('QUEUED')
    expect(through).toBe(bare)
  })

  test('--pipe inserts a hundred thousand keys', { timeout: 120_000 }, async () => {
    await stage.redis.cli('FLUSHALL')
    const count = 100_000
    const bytes = Array.from(
      { length: count },
      (__, i) => `*3\r\n$3\r\nSET\r\n$${`k${i}`.length}\r\nk${i}\r\n$2\r\nvv\r\n`,
    ).join('')
    expect(await cli([...version, '-a', 'acme', '--no-auth-warning', '--pipe'], bytes)).toContain(
      `errors: 0, replies: ${count}`,
    )
    expect(await stage.redis.cli('DBSIZE')).toContain(String(count))
    expect(await stage.redis.cli('GET', 'acme:k77')).toBe('vv')
    expect(
      await cli(
        [...version, '-a', 'acme', '--no-auth-warning', '--pipe'],
        'SET inline value\r\nNOSUCH\r\nGET inline\r\n',
      ),
    ).toContain('errors: 1, replies: 3')
  })

  test('two tenants at once', async () => {
    await stage.redis.cli('FLUSHALL')
    await Promise.all(
      ['acme', 'beta'].map((tenant) =>
        script(
          Array.from({ length: 100 }, (__, i) => `SET k${i} ${tenant}${i}`),
          tenant,
        ),
      ),
    )
    expect(await script(['GET k7', 'EXISTS beta:k7', 'SET only acme'])).toContain('acme7')
    expect(await script(['GET k7', 'GET only'], 'beta')).toBe('beta7\n\n')
    expect((await stage.rawKeys()).filter((key) => !/^(acme|beta):/.test(key))).toEqual([])
  })
})
