import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, NOTHING_LEFT } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  keyward.stop()
  await redis.cli('FLUSHALL')
})
afterAll(() => redis.stop())

async function delayed(more: object = {}): Promise<RawClient> {
  const limits = [{ name: 'slow', rate: '50/s', burst: 1, action: 'delay', maxDelay: '10s', ...more }]
  const tenant = (name: string, rest: object) => ({ upstream: 'main', users: { default: { password: name } }, ...rest })
  keyward = await startKeyward(
    configFor(redis, { tenants: { acme: tenant('acme', { limits }), beta: tenant('beta', {}) } }),
  )
  return keyward.connect({ password: 'acme' })
}

function rule() {
  return keyward.proxy.view().limits[0]
}

async function all(client: RawClient, ...requests: readonly Buffer[]): Promise<readonly string[]> {
  return (await client.exchange(Buffer.concat(requests), requests.length)).map(String)
}

test('requests wait for their tokens, and are answered in their order', async () => {
  const client = await delayed()
  const begun = performance.now()
  const replies = await all(client, ...Array.from({ length: 21 }, () => request('INCR', 'n')))
  const took = performance.now() - begun
  expect(replies).toEqual(Array.from({ length: 21 }, (_, i) => `:${i + 1}\r\n`))
  // The first has a token, each of the others 20 ms to wait for one.
  expect(took).toBeGreaterThan(395)
  expect(rule()).toMatchObject({ allowed: 1, delayed: 20, rejected: 0, waiting: 0 })
  expect(await leftovers(keyward, { ...NOTHING_LEFT, clients: 1 })).toEqual({})
  await client.end()
})

test('what does not count waits behind what does', async () => {
  const client = await delayed({ commands: '+incr' })
  const replies = await all(
    client,
    request('INCR', 'n'),
    request('INCR', 'n'),
    request('GET', 'n'),
    request('ECHO', 'x'),
    request('SET', 'n', 10),
    request('INCR', 'n'),
  )
  expect(replies).toEqual([':1\r\n', ':2\r\n', '$1\r\n2\r\n', '$1\r\nx\r\n', '+OK\r\n', ':11\r\n'])
  await client.end()
})

test('other clients of the lane go on', async () => {
  const client = await delayed({ rate: '1/s' })
  const other = await keyward.connect({ password: 'beta' })
  client.send(Buffer.concat([request('INCR', 'n'), request('INCR', 'n'), request('INCR', 'n')]))
  expect(String(await client.reply())).toBe(':1\r\n')
  await eventually(() => keyward.proxy.delays.count === 2)
  for (let i = 0; i < 20; i++) expect(await other.command('INCR', 'n')).toBe(`:${i + 1}\r\n`)
  expect(keyward.proxy.delays.count).toBeGreaterThan(0)
  client.reset()
  await other.end()
})

test('one that would wait longer than maxDelay is refused', async () => {
  const client = await delayed({ rate: '10/s', maxDelay: '250ms' })
  const replies = await all(client, ...Array.from({ length: 5 }, () => request('INCR', 'n')))
  expect(replies.slice(0, 3)).toEqual([':1\r\n', ':2\r\n', ':3\r\n'])
  expect(replies[3]).toMatch(/^-RATELIMITED slow: 10\/s; retry after \d+ ms\r\n$/)
  expect(rule()).toMatchObject({ allowed: 1, delayed: 2, rejected: 2 })
  await client.end()
})

test('no more than maxDelayed wait at a time', async () => {
  const client = await delayed({ maxDelayed: 3 })
  const replies = await all(client, ...Array.from({ length: 10 }, () => request('INCR', 'n')))
  expect(replies.filter((reply) => reply.startsWith('-RATELIMITED'))).toHaveLength(6)
  expect(rule()).toMatchObject({ allowed: 1, delayed: 3, rejected: 6, waiting: 0 })
  await client.end()
})

test('a transaction that is delayed is one transaction', async () => {
  const client = await delayed()
  const other = await keyward.connect({ password: 'acme' })
  client.send(
    Buffer.concat([
      request('WATCH', 'w'),
      request('GET', 'a'),
      request('MULTI'),
      request('INCR', 'n'),
      request('INCR', 'n'),
      request('SELECT', 0),
      request('INCR', 'n'),
      request('EXEC'),
      request('INCR', 'n'),
    ]),
  )
  const replies = (await client.replies(9)).map(String)
  expect(replies).toEqual([
    '+OK\r\n',
    '$-1\r\n',
    '+OK\r\n',
    ...Array(4).fill('+QUEUED\r\n'),
    '*4\r\n:1\r\n:2\r\n+OK\r\n:3\r\n',
    ':4\r\n',
  ])
  expect(await leftovers(keyward, { ...NOTHING_LEFT, clients: 2 })).toEqual({})
  await Promise.all([client.end(), other.end()])
})

test('commands that block, subscribe or sweep wait, too', async () => {
  const client = await delayed()
  await client.command('RPUSH', 'l', 'x')
  const replies = await all(
    client,
    request('BLPOP', 'l', 0),
    request('KEYS', '*'),
    request('SUBSCRIBE', 'c'),
    request('UNSUBSCRIBE', 'c'),
    request('DBSIZE'),
  )
  expect(replies).toEqual([
    '*2\r\n$1\r\nl\r\n$1\r\nx\r\n',
    '*0\r\n',
    '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n',
    '*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n',
    ':0\r\n',
  ])
  expect(rule().delayed).toBeGreaterThan(1)
  expect(rule().rejected).toBe(0)
  await client.end()
})

test('AUTH as somebody else waits until what came before is done', async () => {
  const client = await delayed()
  const replies = await all(
    client,
    request('INCR', 'n'),
    request('INCR', 'n'),
    request('AUTH', 'beta'),
    request('INCR', 'n'),
  )
  expect(replies).toEqual([':1\r\n', ':2\r\n', '+OK\r\n', ':1\r\n'])
  await client.end()
})

test('QUIT and FIN wait for what is delayed', async () => {
  const client = await delayed()
  client.send(Buffer.concat([...Array(5).fill(request('INCR', 'n')), request('QUIT')]))
  expect(String(await client.closed())).toBe(':1\r\n:2\r\n:3\r\n:4\r\n:5\r\n+OK\r\n')
  const again = await keyward.connect({ password: 'acme' })
  again.send(Buffer.concat(Array(5).fill(request('INCR', 'n'))))
  again.socket.end()
  expect(String(await again.closed())).toMatch(/^:6\r\n/)
  await eventually(() => keyward.proxy.delays.count === 0)
  expect(await redis.cli('GET', 'acme:n')).toBe('10')
})

test('requests that are dropped have cost nothing', async () => {
  const client = await delayed({ rate: '10/s', maxDelay: '5s' })
  client.send(Buffer.concat(Array.from({ length: 40 }, () => request('INCR', 'n'))))
  await eventually(() => rule().waiting >= 35)
  client.reset()
  await eventually(() => rule().waiting === 0)
  expect(rule().tokens).toBeGreaterThan(-2)
})

test('a drain lets them go on in their time', async () => {
  const client = await delayed()
  client.send(Buffer.concat(Array.from({ length: 10 }, () => request('INCR', 'n'))))
  expect(String(await client.reply())).toBe(':1\r\n')
  const drained = keyward.proxy.drain()
  expect(String(await client.closed())).toMatch(/^(?::\d\r\n)*:10\r\n$/)
  await drained
})

test('an upstream that is lost meanwhile: they are held, then sent once', async () => {
  const client = await delayed({ rate: '5/s' })
  client.send(Buffer.concat(Array.from({ length: 4 }, () => request('INCR', 'n'))))
  expect(String(await client.reply())).toBe(':1\r\n')
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
  expect((await client.replies(3)).map(String)).toEqual([':2\r\n', ':3\r\n', ':4\r\n'])
  await client.end()
})

test('the time that it is stopped gives nobody tokens', async () => {
  const client = await delayed({ rate: '10/s', burst: 100, action: 'reject', maxDelay: undefined })
  await all(client, ...Array.from({ length: 100 }, () => request('INCR', 'n')))
  // Nothing in this process runs for that long, as when the machine is suspended.
  const until = performance.now() + 5200
  while (performance.now() < until);
  const replies = await all(client, ...Array.from({ length: 50 }, () => request('INCR', 'n')))
  expect(replies.filter((reply) => reply.startsWith(':')).length).toBeLessThan(20)
  await client.end()
})
