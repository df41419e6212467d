import { afterEach, beforeEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What a client may hold, and what it gets when it is healthy and merely big. */
let redis: RedisServer
let keyward: Keyward | undefined
let bare: RawClient

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  bare.destroy()
  keyward?.stop()
  await redis.stop()
})

const MiB = 1024 * 1024

test('the first request over hold.memory is not taken for a sign that the upstream is away', async () => {
  keyward = await startKeyward(configFor(redis, {}, { hold: { time: '10s', memory: '1MiB' } }))
  const client = await keyward.connect({ password: 'acme' })
  expect(await client.command('SET', 'big', 'x'.repeat(4 * MiB))).toBe('+OK\r\n')
  expect(await client.command('STRLEN', 'big')).toBe(`:${4 * MiB}\r\n`)
})

test('a client with more than buffers.request of unanswered requests is closed, and the log says why', async () => {
  const config = configFor(redis)
  const tenants = { acme: { upstream: 'main', users: { default: { password: 'acme' } }, buffers: { request: '1MiB' } } }
  keyward = await startKeyward({ ...config, tenants })
  const client = await keyward.connect({ password: 'acme' })
  client.send(request('BLPOP', 'q', '0'))
  for (let i = 0; i < 40; i++) client.send(request('SET', `k${i}`, 'x'.repeat(64 * 1024)))
  await client.closed()
  expect(keyward.log.some(({ code }) => code === 'REQUESTLIMIT')).toBe(true)
  expect(await bare.command('DBSIZE')).toBe(':0\r\n')
})

test('replies that have to be read whole count as memory of their client', async () => {
  keyward = await startKeyward(configFor(redis, { memory: '64MiB' }))
  const client = await keyward.connect({ password: 'acme' })
  await client.command('SET', 'big', 'x'.repeat(15 * MiB))
  const one = await keyward.connect({ password: 'acme' })
  await one.command('MULTI')
  await one.command('ECHO', 'x')
  for (let i = 0; i < 16; i++) await one.command('GET', 'big')
  one.send(request('EXEC'))
  await one.closed()
  expect(keyward.log.some(({ code }) => code === 'MEMORY')).toBe(true)
  expect(await client.command('PING')).toBe('+PONG\r\n')
})

test('writes that were lost with a pin before they were sent keep their order', async () => {
  keyward = await startKeyward(configFor(redis, {}, { timeouts: { request: '1s' }, hold: { time: '20s' } }))
  const client = await keyward.connect({ password: 'acme' })
  await client.command('WATCH', 'w')
  await redis.kill('SIGSTOP')
  // Fills the window of the connection, so that what follows stays unsent.
  client.send(
    Buffer.concat([request('SET', 'big', 'x'.repeat(1.1 * MiB)), ...[1, 2, 3].map((i) => request('RPUSH', 'l', i))]),
  )
  // Silent for three time-outs, the pin is closed.
  expect(await eventually(() => keyward?.proxy.view().upstreams[0].node.pins.transaction === 0, 30_000)).toBe(true)
  await redis.kill('SIGCONT')
  const replies = (await client.replies(4)).map(String)
  expect(replies.slice(1)).toEqual([':1\r\n', ':2\r\n', ':3\r\n'])
  expect(await bare.command('LRANGE', 'acme:l', '0', '-1')).toBe('*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n')
}, 60_000)

test('a million tiny requests behind a blocked one count as what they cost, not as their bytes', async () => {
  keyward = await startKeyward(configFor(redis, { memory: '64MiB' }))
  const client = await keyward.connect({ password: 'acme' })
  client.send(request('BLPOP', 'q', '0'))
  const many = Buffer.from('PING\r\n'.repeat(100_000))
  for (let i = 0; i < 10; i++) client.send(many)
  await client.closed()
  expect(keyward.log.some(({ code }) => code === 'MEMORY')).toBe(true)
})

test('over maxClients, AUTH has one reply', async () => {
  const config = configFor(redis)
  const tenants = { acme: { upstream: 'main', maxClients: 1, users: { default: { password: 'acme' } } } }
  keyward = await startKeyward({ ...config, tenants })
  const first = await keyward.connect({ password: 'acme' })
  const second = await keyward.connect()
  second.send(request('AUTH', 'acme'))
  expect(String(await second.reply())).toBe('-ERR max number of clients reached\r\n')
  await second.closed()
  expect(await first.command('PING')).toBe('+PONG\r\n')
})
