import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Blocking commands: woken by others, patient, fair to those who leave. */
let redis: RedisServer
let keyward: Keyward
let bare: RawClient
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, {}, { timeouts: { request: '1s' }, pins: { perTenant: 50 } }))
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
  await redis?.stop()
})

async function connect(password = 'acme', protocol = 2): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

/** Clients that the server sees waiting. */
async function blockedUpstream(): Promise<number> {
  return Number((await redis.info('clients')).get('blocked_clients'))
}

const WAITING: readonly (readonly [string, Buffer, Buffer, string, string])[] = [
  ['BLPOP', request('BLPOP', 'other', 'q', 0), request('RPUSH', 'q', 'x'), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n', ''],
  ['BRPOP', request('BRPOP', 'q', 0), request('RPUSH', 'q', 'x'), '*2\r\n$1\r\nq\r\n$1\r\nx\r\n', ''],
  ['BLMOVE', request('BLMOVE', 'q', 'to', 'LEFT', 'LEFT', 0), request('RPUSH', 'q', 'x'), '$1\r\nx\r\n', ''],
  ['BRPOPLPUSH', request('BRPOPLPUSH', 'q', 'to', 0), request('RPUSH', 'q', 'x'), '$1\r\nx\r\n', ''],
  [
    'BLMPOP',
    request('BLMPOP', 0, 2, 'other', 'q', 'LEFT'),
    request('RPUSH', 'q', 'x'),
    '*2\r\n$1\r\nq\r\n*1\r\n$1\r\nx\r\n',
    '',
  ],
  [
    'BZPOPMIN',
    request('BZPOPMIN', 'z', 0),
    request('ZADD', 'z', 1, 'm'),
    '*3\r\n$1\r\nz\r\n$1\r\nm\r\n$1\r\n1\r\n',
    '*3\r\n$1\r\nz\r\n$1\r\nm\r\n,1\r\n',
  ],
  [
    'BZMPOP',
    request('BZMPOP', 0, 1, 'z', 'MAX'),
    request('ZADD', 'z', 1, 'm'),
    '*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nm\r\n$1\r\n1\r\n',
    '*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nm\r\n,1\r\n',
  ],
  [
    'XREAD',
    request('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'),
    request('XADD', 's', '1-1', 'f', 'v'),
    '*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n',
    '%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n',
  ],
]

test.each(WAITING)(
  '%s is woken by another client of its tenant, and by no other tenant',
  async (_, wait, wake, resp2, resp3) => {
    for (const protocol of [2, 3]) {
      const [consumer, producer, foreign] = [await connect('acme', protocol), await connect(), await connect('beta')]
      consumer.send(wait)
      expect(await eventually(async () => (await blockedUpstream()) === 1)).toBe(true)
      await foreign.exchange(wake)
      await consumer.silence(100)
      await producer.exchange(wake)
      expect(String(await consumer.reply())).toBe(protocol === 3 && resp3 !== '' ? resp3 : resp2)
      await bare.command('FLUSHALL')
    }
  },
)

test('a client may wait longer than a request may take', async () => {
  const [consumer, producer] = [await connect(), await connect()]
  consumer.send(request('BLPOP', 'q', 0))
  await consumer.silence(2500)
  await producer.command('RPUSH', 'q', 'x')
  expect(String(await consumer.reply())).toContain('x')
})

test('a client that leaves while it waits takes no element with it', async () => {
  const producer = await connect()
  for (const how of ['reset', 'end', 'destroy'] as const) {
    const leaver = await connect()
    leaver.send(request('BLPOP', 'q', 0))
    expect(await eventually(async () => (await blockedUpstream()) === 1)).toBe(true)
    if (how === 'end') leaver.socket.end()
    else leaver[how]()
    expect(await eventually(async () => (await blockedUpstream()) === 0)).toBe(true)
    expect(await producer.command('RPUSH', 'q', how)).toBe(':1\r\n')
    expect(await producer.command('LPOP', 'q')).toContain(how)
  }
})

test('elements go to those who wait in the order in which they came, one each', async () => {
  const consumers = []
  for (let i = 0; i < 20; i++) {
    const consumer = await connect()
    consumer.send(request('BLPOP', 'q', 0))
    expect(await eventually(async () => (await blockedUpstream()) === i + 1)).toBe(true)
    consumers.push(consumer)
  }
  const producer = await connect()
  for (let i = 0; i < 20; i++) await producer.command('RPUSH', 'q', i)
  const got = await Promise.all(
    consumers.map(async (consumer) => Number(/(\d+)\r\n$/.exec(String(await consumer.reply()))?.[1])),
  )
  expect(got).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

test('what a client sends behind a blocking command waits for it', async () => {
  const [consumer, producer] = [await connect(), await connect()]
  consumer.send(
    Buffer.concat([request('BLPOP', 'q', 0), request('SET', 'after', 1), request('PING'), request('GET', 'after')]),
  )
  expect(await eventually(async () => (await blockedUpstream()) === 1)).toBe(true)
  await consumer.silence(100)
  expect(await producer.command('EXISTS', 'after')).toBe(':0\r\n')
  await producer.command('RPUSH', 'q', 'x')
  expect((await consumer.replies(4)).map(String).slice(1)).toEqual(['+OK\r\n', '+PONG\r\n', '$1\r\n1\r\n'])
})

test('time-outs are those of the server', async () => {
  const client = await connect()
  for (const [words, least] of [
    [['BLPOP', 'nothing', '0.2'], 200],
    [['XREAD', 'BLOCK', '200', 'STREAMS', 'nothing', '0'], 200],
    [['BLMOVE', 'nothing', 'x', 'LEFT', 'LEFT', '0.2'], 200],
  ] as const) {
    const begun = performance.now()
    expect(await client.command(...words)).toMatch(/^(\*|\$)-1\r\n$/)
    expect(performance.now() - begun).toBeGreaterThan(least - 20)
  }
})

test('those who wait do not hold up the others of their process', async () => {
  const consumers = await Promise.all(Array.from({ length: 40 }, () => connect()))
  for (const consumer of consumers) consumer.send(request('BLPOP', 'never', 0))
  expect(await eventually(async () => (await blockedUpstream()) === 40)).toBe(true)
  const other = await connect()
  for (let i = 0; i < 100; i++) expect(await other.command('INCR', 'n')).toBe(`:${i + 1}\r\n`)
})
