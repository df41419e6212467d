import { afterEach, beforeEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** `hold.time` is how long a request waits for an upstream that is away, whatever else it waits for. */
let redis: RedisServer
let keyward: Keyward

beforeEach(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  keyward.stop()
  await redis.stop()
})

const HOLD = 1500

async function start(): Promise<void> {
  keyward = await startKeyward(configFor(redis, {}, { hold: { time: `${HOLD}ms` } }))
}

test('a pipeline that goes many ways is held once, not once for each way', async () => {
  await start()
  const client = await keyward.connect({ password: 'acme' })
  await client.command('SET', 'a', 1)
  await redis.kill('SIGKILL')
  expect(await eventually(() => !keyward.proxy.view().upstreams[0].usable)).toBe(true)
  const ways = [
    ['GET', 'a'],
    ['SCAN', '0'],
    ['GET', 'a'],
    ['DBSIZE'],
    ['GET', 'a'],
    ['BLPOP', 'q', '1'],
    ['FLUSHDB'],
    ['GET', 'a'],
  ]
  const begun = performance.now()
  const replies = await client.exchange(Buffer.concat(ways.map((args) => request(...args))), ways.length)
  for (const reply of replies) expect(String(reply)).toMatch(/^-UPSTREAMDOWN /)
  // One after the other they would take eight times as long.
  expect(performance.now() - begun).toBeLessThan(4 * HOLD)
  client.destroy()
})

test('when one connection is there again, the others do not wait for their own next attempt', async () => {
  await start()
  const [two, three] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'acme' })]
  await three.command('HELLO', 3)
  await two.command('SET', 'a', 1)
  await three.command('GET', 'a')
  await redis.kill('SIGKILL')
  // Until every attempt is two seconds after the one before.
  await new Promise((resolve) => setTimeout(resolve, 5000))
  await redis.restart()
  expect(await eventually(() => keyward.proxy.view().upstreams[0].usable)).toBe(true)
  const other = await keyward.connect({ password: 'acme' })
  const replies = await Promise.all([two.command('GET', 'b'), three.command('GET', 'b'), other.command('MULTI')])
  expect(replies).toEqual(['$-1\r\n', '_\r\n', '+OK\r\n'])
  for (const client of [two, three, other]) client.destroy()
})

test('what a server that hangs has not been sent waits for hold.time, not for the end of its connection', async () => {
  const [timeouts, hold] = [{ request: '4s' }, { time: '5s' }]
  keyward = await startKeyward(configFor(redis, {}, { timeouts, hold, lanes: 1 }))
  const clients = await Promise.all([1, 2, 3, 4].map(() => keyward.connect({ password: 'acme' })))
  await clients[0].command('SET', 'a', 1)
  await redis.kill('SIGSTOP')
  const begun = performance.now()
  // Together more than fits the window, so some of it is not sent; from each no more than is read at once.
  const value = Buffer.alloc(32 * 1024, 'v')
  for (const one of clients) one.send(Buffer.concat(Array.from({ length: 24 }, () => request('SET', 'a', value))))
  const replies = (await Promise.all(clients.map((one) => one.replies(24)))).flat().map(String)
  // The connection is given up after three time-outs, and what is held then would wait for another hold.time.
  expect(performance.now() - begun).toBeLessThan(11_000)
  const sent = replies.filter((reply) => reply.startsWith('-OUTCOMEUNKNOWN '))
  const unsent = replies.filter((reply) => reply.startsWith('-UPSTREAMDOWN not sent'))
  expect(sent.length).toBeGreaterThan(0)
  expect(unsent.length).toBeGreaterThan(0)
  expect(sent.length + unsent.length).toBe(96)
  await redis.kill('SIGCONT')
  expect(await eventually(async () => (await clients[0].command('INCR', 'n')) === ':1\r\n')).toBe(true)
  for (const one of clients) one.destroy()
})

test('a server that hangs opens the breaker, too: it refuses no connection, but says nothing', async () => {
  const [timeouts, hold, breaker] = [{ request: '1s', connect: '1s' }, { time: '1s' }, { window: '2s', volume: 5 }]
  keyward = await startKeyward(configFor(redis, {}, { timeouts, hold, breaker }))
  const client = await keyward.connect({ password: 'acme' })
  await client.command('SET', 'a', 1)
  await redis.kill('SIGSTOP')
  const breakerOf = () => keyward.proxy.view().upstreams[0].breaker
  client.send(request('SET', 'a', 2))
  expect(await eventually(() => breakerOf().state !== 'closed', 30_000)).toBe(true)
  expect(await eventually(() => !keyward.proxy.ready().ready, 30_000)).toBe(true)
  await redis.kill('SIGCONT')
  expect(await eventually(() => breakerOf().state === 'closed' && keyward.proxy.ready().ready, 30_000)).toBe(true)
  client.destroy()
})
