import { afterAll, beforeAll, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What SCRIPT LOAD says of a text that does not compile: the server's own words, byte for byte. */

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

it.each([
  'x = \xff y',
  "x = '\xff' \xe4",
  "x = '\xc3\xa4' \xc3",
  'x = \xf0\x9f\x98 y',
  'x = y \xef\xbf\xbd',
  'x = = y',
  '#!lua flags=no-\xff\nx = y',
  '#!lua flags=no-writes\nx = \xff y',
])('SCRIPT LOAD %j', async (text) => {
  const acme = await keyward.connect({ password: 'acme' })
  const bare = await RawClient.connect({ port: redis.port })
  const load = request('SCRIPT', 'LOAD', Buffer.from(text, 'latin1'))
  const [said] = await acme.exchange(load)
  const [expected] = await bare.exchange(load)
  expect(said.toString('latin1')).toBe(expected.toString('latin1'))
  acme.destroy()
  bare.destroy()
})
