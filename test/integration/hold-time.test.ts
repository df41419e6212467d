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
