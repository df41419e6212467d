import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, NOTHING_LEFT, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

let redis: RedisServer
const started: Keyward[] = []

beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  for (const keyward of started.splice(0)) keyward.stop()
  await redis.cli('FLUSHALL')
})
afterAll(() => redis.stop())

function config(more: object, upstream: Record<string, unknown> = {}) {
  const limits = [{ name: 'ours', scope: 'global', rate: '6/m', burst: 10, ...more }]
  const users = { default: { password: 'acme' } }
  return configFor(redis, { tenants: { acme: { upstream: 'main', users, limits } } }, upstream)
}

async function limited(more: object = {}, upstream: Record<string, unknown> = {}): Promise<Keyward> {
  const keyward = await startKeyward(config(more, upstream))
  started.push(keyward)
  return keyward
}

const enter = (keyward: Keyward) => keyward.connect({ password: 'acme' })

async function all(client: RawClient, ...requests: readonly Buffer[]): Promise<readonly string[]> {
  return (await client.exchange(Buffer.concat(requests), requests.length)).map(String)
}

const gets = (count: number) => Array<Buffer>(count).fill(request('GET', 'a'))
const admitted = (replies: readonly string[]) =>
  replies.filter((reply) => !reply.startsWith('-RATELIMITED ours: ')).length

const rule = ({ proxy }: Keyward) => proxy.view().limits[0]

test('the first request finds the tokens of the other process gone, or what is left of them', async () => {
  const one = await limited()
  const other = await limited()
  const clients = [await enter(one), await enter(other)]
  expect(admitted(await all(clients[0], ...gets(7)))).toBe(7)
  // What the first one has leased and not used, it gives back after a second.
  let second = 0
  await eventually(async () => {
    second += admitted(await all(clients[1], ...gets(5)))
    return second >= 3
  }, 6000)
  expect(second).toBeLessThanOrEqual(4)
  for (const client of clients) await client.end()
})

test('an idle rule refuses nobody who comes first', async () => {
  const keyward = await limited({ rate: '1/s', burst: 1 })
  const client = await enter(keyward)
  expect(await client.command('GET', 'a')).toBe('$-1\r\n')
  expect(await client.command('GET', 'a')).toMatch(/^-RATELIMITED ours: 1\/s; retry after \d+ ms\r\n$/)
  expect(rule(keyward)).toMatchObject({ allowed: 1, rejected: 1, delayed: 0, waiting: 0, grants: 1 })
  expect(await leftovers(keyward, { ...NOTHING_LEFT, clients: 1 })).toEqual({})
  await client.end()
})

test('a transaction that is refused while its tokens are on their way is not executed in part', async () => {
  const keyward = await limited({ burst: 2 })
  const client = await enter(keyward)
  const replies = await all(
    client,
    request('MULTI'),
    request('INCR', 'n'),
    request('INCR', 'n'),
    request('INCR', 'n'),
    request('EXEC'),
    request('PING'),
  )
  expect(replies.slice(0, 3)).toEqual(['+OK\r\n', '+QUEUED\r\n', '+QUEUED\r\n'])
  expect(replies[3]).toMatch(/^-RATELIMITED ours: 6\/m; retry after \d+ ms\r\n$/)
  expect(replies[4]).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n')
  expect(replies[5]).toBe('+PONG\r\n')
  expect(await redis.cli('EXISTS', 'acme:n')).toBe('0')
  expect(await leftovers(keyward, { ...NOTHING_LEFT, clients: 1 })).toEqual({})
  await client.end()
})

test('order is kept while some wait for a lease', async () => {
  const keyward = await limited({ commands: '+incr' })
  const client = await enter(keyward)
  const replies = await all(
    client,
    request('INCR', 'n'),
    request('GET', 'n'),
    request('ECHO', 'x'),
    request('INCR', 'n'),
  )
  expect(replies).toEqual([':1\r\n', '$1\r\n1\r\n', '$1\r\nx\r\n', ':2\r\n'])
  await client.end()
})

test('delay: who comes too early gets later tokens', async () => {
  const keyward = await limited({ rate: '50/s', burst: 1, action: 'delay', maxDelay: '10s' })
  const client = await enter(keyward)
  const begun = performance.now()
  const replies = await all(client, ...Array.from({ length: 21 }, () => request('INCR', 'n')))
  expect(replies).toEqual(Array.from({ length: 21 }, (_, i) => `:${i + 1}\r\n`))
  expect(performance.now() - begun).toBeGreaterThan(350)
  await client.end()
})

test('per match: each name has a bucket that all processes share', async () => {
  const one = await limited({ per: 'match', keys: 'key:*', burst: 2 })
  const other = await limited({ per: 'match', keys: 'key:*', burst: 2 })
  const clients = [await enter(one), await enter(other)]
  const ask = (client: RawClient, key: string) => client.command('INCR', `key:${key}`)
  for (const key of ['a', 'b', 'c']) {
    const replies: string[] = []
    for (const client of [...clients, ...clients]) replies.push(await ask(client, key))
    expect(admitted(replies)).toBe(2)
  }
  for (const client of clients) await client.end()
})

test('keys of tokens are nobody’s, and go away by themselves', async () => {
  const keyward = await limited({ rate: '10/s', burst: 10 })
  const client = await enter(keyward)
  await all(client, ...gets(3))
  expect(await redis.cli('TYPE', 'keyward:limit:acme:ours')).toBe('string')
  expect(Number(await redis.cli('PTTL', 'keyward:limit:acme:ours'))).toBeGreaterThan(0)
  expect(await client.command('FLUSHALL')).toBe('+OK\r\n')
  expect(await client.command('KEYS', '*')).toBe('*0\r\n')
  await client.end()
})

describe('tokens that cannot be had', () => {
  /** A user who may do anything but scripts. */
  async function withoutScripts(onError: string): Promise<Keyward> {
    await redis.cli('ACL', 'SETUSER', 'noscripts', 'on', '>pw', '~*', '&*', '+@all', '-@scripting')
    return limited({ onError, burst: 2 }, { user: 'noscripts', password: 'pw' })
  }

  test('onError: allow', async () => {
    const keyward = await withoutScripts('allow')
    const client = await enter(keyward)
    expect(admitted(await all(client, ...gets(20)))).toBe(20)
    expect(rule(keyward).failing).toBe(true)
    await client.end()
  })

  test('onError: local', async () => {
    const keyward = await withoutScripts('local')
    const client = await enter(keyward)
    expect(admitted(await all(client, ...gets(20)))).toBe(2)
    await client.end()
  })

  test('onError: deny', async () => {
    const keyward = await withoutScripts('deny')
    const client = await enter(keyward)
    expect(admitted(await all(client, ...gets(20)))).toBe(0)
    expect(await client.command('PING')).toBe('+PONG\r\n')
    await client.end()
  })

  test('what is refused late does not leave its client unread', async () => {
    const keyward = await withoutScripts('deny')
    const client = await enter(keyward)
    const big = 'x'.repeat(32 * 1024)
    const replies = await all(client, ...gets(1), ...Array(64).fill(request('ECHO', big)), request('PING'))
    expect(admitted(replies.slice(0, 1))).toBe(0)
    expect(replies.at(-1)).toBe('+PONG\r\n')
    await client.end()
  })

  test('what waits behind a request that is refused late is looked at', async () => {
    const keyward = await withoutScripts('deny')
    const client = await enter(keyward)
    const replies = await all(client, ...gets(1), request('AUTH', 'acme'), request('ECHO', 'x'), request('PING'))
    expect(replies.slice(1)).toEqual(['+OK\r\n', '$1\r\nx\r\n', '+PONG\r\n'])
    await client.end()
  })

  test('when they can be had again, they are', async () => {
    const keyward = await withoutScripts('deny')
    const client = await enter(keyward)
    expect(admitted(await all(client, ...gets(1)))).toBe(0)
    await redis.cli('ACL', 'SETUSER', 'noscripts', '+@scripting')
    await eventually(async () => admitted(await all(client, ...gets(1))) === 1, 10_000)
    await client.end()
  })
})

test('a client that leaves while its tokens are on their way keeps none, and leaves nothing', async () => {
  const keyward = await limited({ burst: 3 })
  const clients = await Promise.all(Array.from({ length: 10 }, () => enter(keyward)))
  for (const client of clients) client.send(Buffer.concat(gets(1)))
  for (const client of clients) client.reset()
  await eventually(() => places(keyward).clients === 0)
  await eventually(() => rule(keyward).waiting === 0 && keyward.proxy.delays.count === 0)
  expect(await leftovers(keyward)).toEqual({})
  expect(keyward.proxy.faults).toBe(0)
})
