import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Values up to what Redis takes, unchanged, and without holding up anybody else. */
const MB = 1024 * 1024
const BIGGEST = { default: 48, long: 512, drill: 512 }[process.env.KEYWARD_TIER ?? 'default'] ?? 48

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  const users = { default: { password: 'acme' } }
  keyward = await startKeyward(
    configFor(
      redis,
      { memory: '4GiB', tenants: { acme: { upstream: 'main', users, buffers: { request: '2GiB', output: '2GiB' } } } },
      { timeouts: { request: '120s' } },
    ),
  )
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const connect = () => RawClient.connect({ port: keyward.port, timeout: 300_000 })

async function loggedIn(): Promise<RawClient> {
  const client = await connect()
  await client.command('AUTH', 'acme')
  return client
}

test.each([64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, MB - 40, MB, MB + 1, 5 * MB, BIGGEST * MB])(
  'a value of %i bytes comes back unchanged',
  { timeout: 600_000 },
  async (size) => {
    const client = await loggedIn()
    const value = randomBytes(Math.min(size, 8 * MB))
    const bytes = Buffer.concat(Array.from({ length: Math.ceil(size / value.length) }, () => value)).subarray(0, size)
    expect(await client.command('SET', 'big', bytes)).toBe('+OK\r\n')
    expect(await client.command('STRLEN', 'big')).toBe(`:${size}\r\n`)
    const [reply] = await client.exchange(request('GET', 'big'))
    expect(digest(reply.subarray(reply.indexOf('\n') + 1, -2))).toBe(digest(bytes))
    client.destroy()
  },
)

test('an aggregate of many megabytes comes back unchanged, in RESP2 and RESP3', { timeout: 120_000 }, async () => {
  const bare = await RawClient.connect({ port: redis.port, timeout: 120_000 })
  for (let i = 0; i < 40; i++) {
    await bare.exchange(
      request(
        'HSET',
        'acme:hash',
        ...Array.from({ length: 1000 }, (_, k) => [`field ${i}:${k}`, 'v'.repeat(100)]).flat(),
      ),
    )
  }
  for (const protocol of [2, 3]) {
    const client = await loggedIn()
    await client.command('HELLO', protocol)
    await bare.command('HELLO', protocol)
    const [expected] = await bare.exchange(request('HGETALL', 'acme:hash'))
    expect(expected.length).toBeGreaterThan(4 * MB)
    for (let i = 0; i < 3; i++) {
      client.send(request('HGETALL', 'hash'))
      expect((await client.receive(expected.length)).equals(expected)).toBe(true)
    }
    client.destroy()
  }
  bare.destroy()
})

test('big values inside a transaction and in replies that hold a key', { timeout: 120_000 }, async () => {
  const client = await loggedIn()
  const value = randomBytes(3 * MB)
  await client.command('SET', 'big', value)
  const replies = await client.exchange(
    Buffer.concat([
      request('MULTI'),
      request('SET', 'other', value),
      request('GET', 'big'),
      request('EXEC'),
      request('RPUSH', 'q', value),
      request('BLPOP', 'q', 0),
    ]),
    6,
  )
  const bulk = Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
  expect(replies[3].equals(Buffer.concat([Buffer.from('*2\r\n+OK\r\n'), bulk]))).toBe(true)
  expect(replies[5].equals(Buffer.concat([Buffer.from('*2\r\n$1\r\nq\r\n'), bulk]))).toBe(true)
  client.destroy()
})

test('somebody else is served while a big request comes in slowly and a big reply is read slowly', {
  timeout: 120_000,
}, async () => {
  const [big, other] = [await loggedIn(), await loggedIn()]
  const value = Buffer.alloc(20 * MB, 'b')
  await big.command('SET', 'big', value)
  await big.command('GET', 'big')
  big.pauseReading()
  big.send(request('GET', 'big'))
  const incoming = await loggedIn()
  const bytes = request('SET', 'slow', value)
  incoming.send(bytes.subarray(0, 5 * MB))
  for (let i = 0; i < 200; i++) expect(await other.command('INCR', 'n')).toBe(`:${i + 1}\r\n`)
  incoming.send(bytes.subarray(5 * MB))
  expect(String(await incoming.reply())).toBe('+OK\r\n')
  big.resumeReading()
  expect((await big.reply()).length).toBeGreaterThan(value.length)
  for (const client of [big, other, incoming]) client.destroy()
})

test('a client that leaves in the middle of a big request leaves nothing behind', { timeout: 60_000 }, async () => {
  const bytes = request('SET', 'half', Buffer.alloc(8 * MB))
  for (let i = 0; i < 5; i++) {
    const client = await loggedIn()
    client.send(bytes.subarray(0, 7 * MB))
    expect(await eventually(() => places(keyward).memory > MB)).toBe(true)
    client.reset()
    expect(await eventually(() => places(keyward).memory === 0)).toBe(true)
  }
  const client = await loggedIn()
  expect(await client.command('EXISTS', 'half')).toBe(':0\r\n')
  client.destroy()
})
