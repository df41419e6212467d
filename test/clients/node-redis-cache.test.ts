import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { openStage, type Stage } from './stage.ts'

/** node-redis with a cache of its own, which CLIENT TRACKING keeps true. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(() => stage.stop())

async function caching(tenant: string) {
  const client = createClient({
    url: `redis://:${tenant}@127.0.0.1:${stage.keyward.port}`,
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

const requests = () =>
  stage.keyward.proxy
    .view()
    .tenants.find(({ name }) => name === 'acme')
    ?.stats.requests.reduce((a, b) => a + b, 0) ?? 0

test('what it has read it does not ask for again, until somebody has written it', async () => {
  const [client, other, foreign] = [await caching('acme'), await caching('acme'), await caching('beta')]
  // Until writes are heard of, whatever it reads is taken back at once.
  expect(
    await eventually(async () => {
      await client.get('warm')
      const before = requests()
      await client.get('warm')
      return requests() === before
    }),
  ).toBe(true)
  for (let i = 0; i < 20; i++) {
    await other.set('k', String(i))
    expect(await eventually(async () => (await client.get('k')) === String(i))).toBe(true)
    const before = requests()
    expect(await client.get('k')).toBe(String(i))
    expect(requests()).toBe(before)
    await foreign.set('k', 'foreign')
    expect(await client.get('k')).toBe(String(i))
  }
  await stage.redis.cli('SET', 'acme:k', 'directly')
  expect(await eventually(async () => (await client.get('k')) === 'directly')).toBe(true)
  await client.hSet('h', 'f', '1')
  expect({ ...(await client.hGetAll('h')) }).toEqual({ f: '1' })
  await other.hSet('h', 'f', '2')
  expect(await eventually(async () => (await client.hGetAll('h')).f === '2')).toBe(true)
  for (const one of [client, other, foreign]) await one.close()
})
