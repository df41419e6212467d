import { afterAll, beforeAll, expect, test } from 'vitest'
import { cachedConfig, hits } from '../helpers/cached.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

let redis: RedisServer
let keyward: Keyward
let bare: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  keyward = await startKeyward(cachedConfig(redis))
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await redis?.stop()
})

test('while a tenant pauses its clients, nothing comes from memory either; others do not notice', async () => {
  const [client, other, beta] = await Promise.all([
    keyward.connect({ password: 'acme' }),
    keyward.connect({ password: 'acme' }),
    keyward.connect({ password: 'beta' }),
  ])
  await client.command('SET', 'k', 'v')
  await beta.command('SET', 'k', 'v')
  expect(await hits(client, bare, 'k')).toBe(true)
  expect(await hits(beta, bare, 'k')).toBe(true)
  const order: string[] = []
  expect(await other.command('CLIENT', 'PAUSE', 60_000, 'WRITE')).toBe('+OK\r\n')
  // Reads go on.
  expect(await client.command('GET', 'k')).toBe('$1\r\nv\r\n')
  expect(await other.command('CLIENT', 'PAUSE', 60_000, 'ALL')).toBe('+OK\r\n')
  const paused = client.command('GET', 'k').then((reply) => {
    order.push('read')
    return reply
  })
  expect(await beta.command('GET', 'k')).toBe('$1\r\nv\r\n')
  // A round trip of this client's own process, behind the read.
  await other.command('PING')
  order.push('goes on')
  expect(await other.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
  expect(await paused).toBe('$1\r\nv\r\n')
  expect(order).toEqual(['goes on', 'read'])
  for (const each of [client, other, beta]) each.destroy()
})
