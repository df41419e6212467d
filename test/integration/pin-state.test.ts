import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A connection of its own carries nothing of one client to the next, to another protocol or to another upstream. */
let redis: RedisServer
let other: RedisServer
let keyward: Keyward
let bare: RawClient
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  other = await startRedis()
  const user = (password: string) => ({ users: { default: { password } } })
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url }, second: { url: other.url } },
      tenants: {
        acme: { upstream: 'main', ...user('acme') },
        beta: { upstream: 'main', ...user('beta') },
        own: { upstream: 'second', prefix: '', ...user('own') },
      },
    }),
  )
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(() => places(keyward).pinsBlocked + places(keyward).pinsTransaction === 0)).toBe(true)
  await bare.command('FLUSHALL')
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await Promise.all([redis?.stop(), other?.stop()])
})

async function connect(password: string): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  return client
}

/** One after the other; each reply as text. */
async function steps(client: RawClient, ...lines: string[]): Promise<string[]> {
  const replies: string[] = []
  for (const line of lines) replies.push(await client.command(...line.split(' ')))
  return replies
}

test('UNWATCH inside MULTI does not give the next tenant a connection with the transaction still open', async () => {
  await bare.command('SET', 'acme:secret', 'ACME')
  const attacker = await connect('acme')
  attacker.send(
    Buffer.concat(
      ['CLIENT REPLY OFF', 'MULTI', 'UNWATCH', 'GET secret', 'RESET'].map((line) => request(...line.split(' '))),
    ),
  )
  expect(await attacker.reply().then(String)).toBe('+RESET\r\n')
  await steps(attacker, 'AUTH acme', 'GET x')
  const victim = await connect('beta')
  expect(await steps(victim, 'BLPOP q 0.1', 'MULTI', 'SET k v', 'EXEC')).toEqual([
    '*-1\r\n',
    '+OK\r\n',
    '+QUEUED\r\n',
    '*1\r\n+OK\r\n',
  ])
})

test('the same by a reply that is cut between two chunks', async () => {
  const attacker = await connect('acme')
  const unwatches = Array.from({ length: 20_000 }, () => request('UNWATCH'))
  const replies = await attacker.exchange(
    Buffer.concat([request('MULTI'), ...unwatches, request('GET', 'secret'), request('RESET')]),
    unwatches.length + 3,
  )
  expect(String(replies.at(-1))).toBe('+RESET\r\n')
  await steps(attacker, 'AUTH acme', 'GET x')
  const victim = await connect('beta')
  expect(await steps(victim, 'BLPOP q 0.1', 'MULTI', 'EXEC')).toEqual(['*-1\r\n', '+OK\r\n', '*0\r\n'])
})

test('after WATCH, AUTH as a tenant of another upstream takes its requests there', async () => {
  await bare.command('SET', 'beta:secret', 'BETA')
  const client = await connect('acme')
  await steps(client, 'WATCH k', 'AUTH own')
  expect(await steps(client, 'GET beta:secret', 'KEYS *', 'SET own 1')).toEqual(['$-1\r\n', '*0\r\n', '+OK\r\n'])
  expect(await other.cli('GET', 'own')).toBe('1')
  expect(await bare.command('EXISTS', 'own')).toBe(':0\r\n')
})

test('HELLO between WATCH and EXEC: replies in the protocol of the day, and EXEC says that the watch is gone', async () => {
  const client = await connect('acme')
  await steps(client, 'HSET h f v', 'WATCH w')
  await client.command('HELLO', '3')
  expect(await steps(client, 'HGETALL h', 'GET nope')).toEqual(['%1\r\n$1\r\nf\r\n$1\r\nv\r\n', '_\r\n'])
  expect(await steps(client, 'MULTI', 'GET nope', 'EXEC')).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    '-EXECABORT Transaction discarded because of previous errors.\r\n',
  ])
  expect(await steps(client, 'MULTI', 'GET nope', 'EXEC')).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n_\r\n'])
})

test('RESET unwatches, and speaks RESP2 again', async () => {
  const client = await connect('acme')
  await client.command('HELLO', '3')
  await steps(client, 'SET w 1', 'WATCH w', 'RESET', 'AUTH acme')
  await bare.command('SET', 'acme:w', '2')
  expect(await steps(client, 'GET nope', 'MULTI', 'SET w 3', 'EXEC')).toEqual([
    '$-1\r\n',
    '+OK\r\n',
    '+QUEUED\r\n',
    '*1\r\n+OK\r\n',
  ])
})

test('RESET inside MULTI gives its connection back at once', async () => {
  const client = await connect('acme')
  await steps(client, 'MULTI', 'SET a 1', 'RESET')
  expect(await eventually(() => places(keyward).pinsTransaction === 0)).toBe(true)
})

test('a transaction that comes with the FIN is executed and answered, also when its connection has to be opened first', async () => {
  const cold = await startKeyward(configFor(redis))
  expect(await eventually(() => cold.proxy.ready().ready)).toBe(true)
  const client = await cold.connect({ password: 'acme' })
  client.send(Buffer.concat(['MULTI', 'SET fin 1', 'EXEC', 'GET fin'].map((line) => request(...line.split(' ')))))
  void client.end()
  const replies = await client.replies(4)
  expect(replies.map(String)).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n', '$1\r\n1\r\n'])
  await client.closed()
  cold.stop()
})

test('an element that a BLPOP finds reaches a client that has sent its FIN behind it', async () => {
  await bare.command('RPUSH', 'acme:q', 'x')
  const client = await connect('acme')
  client.send(request('BLPOP', 'q', '0'))
  void client.end()
  expect(String(await client.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  await client.closed()
})

test('a client that leaves while it is blocked takes nothing', async () => {
  const client = await connect('acme')
  client.send(request('BLPOP', 'q', '0'))
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
  void client.end()
  await client.closed()
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '0')).toBe(true)
  await bare.command('RPUSH', 'acme:q', 'x')
  expect(await bare.command('LLEN', 'acme:q')).toBe(':1\r\n')
})

test.each([
  ['behind a write', [['SET', 'a', '1']]],
  [
    'behind AUTH with a request in flight',
    [
      ['SET', 'a', '1'],
      ['AUTH', 'acme'],
    ],
  ],
  ['behind another one', [['BLPOP', 'q0', '0.2']]],
])('a command that begins to block after the FIN, %s, takes nothing', async (_where, before) => {
  const client = await connect('acme')
  client.send(Buffer.concat([...before.map((line) => request(...line)), request('BLPOP', 'q', '0')]))
  void client.end()
  await client.closed()
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '0')).toBe(true)
  await bare.command('RPUSH', 'acme:q', 'x')
  expect(await bare.command('LLEN', 'acme:q')).toBe(':1\r\n')
})

test('a client that is blocked with a megabyte of requests behind it is still seen leaving', async () => {
  const client = await connect('acme')
  const behind = Array.from({ length: 3000 }, (_, i) => request('SET', `k${i}`, 'x'.repeat(1000)))
  client.send(Buffer.concat([request('SET', 'a', '1'), request('BLPOP', 'q', '0'), ...behind]))
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
  client.reset()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '0')).toBe(true)
})
