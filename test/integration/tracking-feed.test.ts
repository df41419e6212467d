import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ALL_KEYS } from '../helpers/cached.ts'
import { CachingClient, tracked } from '../helpers/caching-client.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

// The guarantee of CLIENT TRACKING, whatever happens to the connection on which writes are heard of: what a client keeps is true, or it
// has been told not to keep it, within `maxStaleness`.

let redis: RedisServer
let proxy: FeedProxy
let keyward: Keyward
const open: { destroy(): void }[] = []

beforeAll(async () => {
  redis = await startRedis()
}, 60_000)

afterEach(async () => {
  for (const one of open.splice(0)) one.destroy()
  expect(keyward.proxy.faults).toBe(0)
  keyward.stop()
  await proxy.stop()
  await redis.cli('FLUSHALL')
})

afterAll(() => redis?.stop())

/** Keyward behind a proxy that can disturb the feed. `maxStaleness`: so long that it plays no part, if not given. */
async function start(maxStaleness = '20s', more: ConfigObject = {}, tenant: ConfigObject = {}): Promise<void> {
  proxy = await FeedProxy.start(redis)
  const acme = { upstream: 'main', users: { default: { password: 'acme' } }, ...tenant }
  keyward = await startKeyward(configFor(proxy, { tenants: { acme }, tracking: { maxStaleness }, ...more }))
}

async function caching(...options: readonly string[]): Promise<CachingClient> {
  const client = await CachingClient.connect(keyward, 'acme', ...options)
  open.push(client)
  return client
}

/** Once writes are heard of. */
async function tracking(...options: readonly string[]): Promise<CachingClient> {
  const first = await caching()
  expect(await tracked(first)).toBe(true)
  return caching(...options)
}

async function plain(): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  open.push(client)
  return client
}

test('who listens and reads nothing is told when writes may have been missed, and again when they are heard of', async () => {
  await start()
  const listener = await tracking('BCAST')
  for (const one of open.splice(0)) if (one !== listener) one.destroy()
  open.push(listener)
  listener.take()
  proxy.cutFeeds()
  // '*' is everything.
  expect(await eventually(() => listener.told.filter((one) => one === '*').length >= 2)).toBe(true)
  listener.take()
  await redis.cli('SET', 'acme:k', '1')
  expect(await listener.heard(1)).toContain('k')
})

test('tracking is on at once; what is read before writes are heard of is taken back at once', async () => {
  await start()
  proxy.feed.stall = 'reply'
  for (const client of [await caching(), await caching('BCAST', 'PREFIX', 'k')]) {
    expect(await client.fetch('k')).toBe(null)
    expect(await client.heard(1)).toEqual(['k'])
    await client.fetch('other')
    await client.say('MGET', 'k', 'k2')
    await client.say('ECHO', 'x')
    await client.say('ECHO', 'x')
    expect(client.take().filter((key) => key !== 'other')).toEqual(['k', 'k', 'k2'])
  }
  proxy.release()
  const client = await caching()
  expect(await tracked(client)).toBe(true)
})

test('the feed is lost: all is taken back at once, and what is read until it is back', async () => {
  await start()
  const clients = [await tracking(), await tracking('BCAST', 'PREFIX', 'k'), await tracking('OPTIN')]
  for (const client of clients) await client.fetch('k')
  proxy.refused = 'feeds'
  proxy.cutFeeds()
  for (const client of clients) expect(await client.heard(1)).toEqual(['*'])
  await redis.cli('SET', 'acme:k', '1')
  for (const client of clients.slice(0, 2)) {
    expect(await client.fetch('k')).toBe('1')
    expect(await client.heard(2)).toEqual(['*', 'k'])
  }
  proxy.release()
  for (const client of clients.slice(0, 2)) {
    expect(await tracked(client, 'k')).toBe(true)
    await client.fetch('k')
  }
  await redis.cli('SET', 'acme:k', '2')
  for (const client of clients.slice(0, 2)) {
    expect(await eventually(() => client.told.includes('k'))).toBe(true)
    // Who listens is told everything when the feed is back, which may be before this or behind it.
    expect(client.take().filter((one) => one !== '*')).toEqual(['k'])
  }
})

test('the feed stalls: all is taken back within maxStaleness, and what is read until it goes on', async () => {
  await start('1s')
  const clients = [await tracking(), await tracking('BCAST')]
  for (const client of clients) await client.fetch('k')
  proxy.feed.stall = 'reply'
  const stalledAt = performance.now()
  await redis.cli('SET', 'acme:k', '1')
  for (const client of clients) {
    expect(await eventually(() => client.told.includes('*'))).toBe(true)
    // What is given up after three seconds would tell so, too: this comes before.
    expect(performance.now() - stalledAt).toBeLessThan(2900)
    client.take()
    expect(await client.fetch('k')).toBe('1')
    expect(await client.heard(1)).toEqual(['k'])
  }
  proxy.release()
  for (const client of clients) expect(await tracked(client, 'k')).toBe(true)
})

test('a stall that is shorter than maxStaleness takes nothing back, and misses nothing', async () => {
  await start()
  const client = await tracking()
  await client.fetch('k')
  await client.fetch('l')
  proxy.feed.stall = 'reply'
  await redis.cli('SET', 'acme:k', '1')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(client.told).toEqual([])
  proxy.release()
  expect(await client.heard(1)).toEqual(['k'])
  expect(client.cache.has('l')).toBe(true)
})

test('a reply that is overtaken by the word that its key was written is taken back behind it', async () => {
  await start()
  const clients = [await tracking(), await tracking('BCAST')]
  for (const client of clients) {
    await client.fetch('k')
    client.take()
    proxy.hold()
    const late = client.fetch('k')
    const later = client.fetch('l')
    // The server has answered; nobody here knows.
    await eventually(async () => (await redis.info('commandstats')).get('cmdstat_get') !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await redis.cli('SET', 'acme:k', `by ${clients.indexOf(client)}`)
    // The old value is taken back, though its successor is not here yet.
    await client.heard(1)
    proxy.release()
    await Promise.all([late, later])
    await client.say('ECHO', 'x')
    expect(client.cache.has('k')).toBe(false)
    expect(client.cache.has('l')).toBe(true)
    expect(client.take().every((key) => key === 'k')).toBe(true)
  }
})

test('a read that was under way when the feed was lost is taken back when it is answered', async () => {
  await start()
  const client = await tracking()
  proxy.hold()
  const late = client.fetch('k')
  await new Promise((resolve) => setTimeout(resolve, 200))
  proxy.cutFeeds()
  const { upstreams } = keyward.proxy
  await client.heard(1)
  // It is there again, and knows nothing of what was written meanwhile.
  expect(await eventually(() => upstreams.get('main')?.invalidations.view().connected === true)).toBe(true)
  proxy.release()
  await late
  expect(await eventually(() => client.told.includes('k'))).toBe(true)
  expect(client.take()).toEqual(['*', 'k'])
  expect(client.cache.has('k')).toBe(false)
})

test('a client that blocks is told at once', async () => {
  await start()
  const client = await tracking()
  await client.fetch('k')
  const popped = client.say('BLPOP', 'q', '0')
  const behind = client.fetch('k')
  await redis.cli('SET', 'acme:k', '1')
  expect(await client.heard(1)).toEqual(['k'])
  await redis.cli('RPUSH', 'acme:q', 'x')
  expect(await popped).toContain('$1\r\nx\r\n')
  expect(await behind).toBe('1')
  client.take()
  // Whether it was told again or is tracked again: of the next write it knows, or keeps nothing.
  await redis.cli('SET', 'acme:k', '2')
  expect(await eventually(async () => (await client.get('k')) === '2')).toBe(true)
})

test('the server is started anew: all is taken back', async () => {
  const server = await startRedis()
  proxy = await FeedProxy.start(server)
  keyward = await startKeyward(configFor(proxy, { tracking: { maxStaleness: '20s' } }))
  const client = await tracking()
  await client.say('SET', 'k', '1')
  await client.fetch('k')
  client.take()
  await server.restart()
  expect(await eventually(() => client.told.includes('*'))).toBe(true)
  expect(await eventually(async () => (await client.get('k')) === null)).toBe(true)
  await server.stop()
})

test('the table is full: what was read first is taken back, and the rest is still known', async () => {
  await start('20s', { tracking: { maxStaleness: '20s', maxKeys: 100 } })
  const client = await tracking()
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => client.fetch(key)))
  await client.say('ECHO', 'x')
  expect(client.cache.size).toBeLessThanOrEqual(100)
  expect(client.cache.size).toBeGreaterThan(90)
  expect(client.cache.has('k999')).toBe(true)
  const stats = keyward.proxy.view().tenants.find(({ name }) => name === 'acme')?.stats
  expect(stats?.trackedKeys).toBeLessThanOrEqual(100)
  expect(stats?.trackingEvicted).toBeGreaterThan(890)
  await redis.cli('SET', 'acme:k999', '1')
  expect(await eventually(() => !client.cache.has('k999'))).toBe(true)
})

test('what the near cache answers is tracked, too', async () => {
  await start('20s', {}, { cache: { rules: [ALL_KEYS] } })
  const first = await tracking()
  const hits = () => keyward.proxy.view().caches[0].rules[0].hits
  await redis.cli('SET', 'acme:k', '1')
  expect(
    await eventually(async () => {
      const before = hits()
      await first.fetch('k')
      return hits() > before
    }),
  ).toBe(true)
  const clients = [await caching(), await caching()]
  const before = hits()
  for (const client of clients) expect(await client.fetch('k')).toBe('1')
  for (const client of clients) await client.say('MGET', 'k', 'l')
  expect(hits()).toBeGreaterThanOrEqual(before + 2)
  await redis.cli('SET', 'acme:k', '2')
  for (const client of clients) {
    expect(await eventually(() => client.told.includes('k'))).toBe(true)
    expect(await client.get('k')).toBe('2')
    expect(client.cache.get('k')).toBe('2')
  }
})

test('a reload: nothing is missed, with another upstream in the place of this one, too', async () => {
  await start()
  const client = await tracking()
  await client.fetch('k')
  const { config } = keyward.proxy
  await keyward.proxy.reload({ ...config, tracking: { maxKeys: 5, maxStaleness: 20_000 } })
  expect(client.take()).toEqual([])
  await redis.cli('SET', 'acme:k', '1')
  expect(await client.heard(1)).toEqual(['k'])
  client.take()
  await client.fetch('k')
  const main = config.upstreams.get('main')
  if (main === undefined) throw new Error('no upstream')
  await keyward.proxy.reload({ ...config, upstreams: new Map([['main', { ...main, lanes: 2 }]]) })
  expect((await client.heard(1))[0]).toBe('*')
  expect(await tracked(client, 'k')).toBe(true)
  await client.fetch('k')
  await redis.cli('SET', 'acme:k', '2')
  expect(await client.heard(1)).toEqual(['k'])
})

/** What is done to the connections: only in the second case does something happen after which all is taken back anyway. */
const DISTURBANCES = [
  ['slow lines', 2],
  ['lost and stalled feeds', 5],
] as const

test.each(DISTURBANCES)(
  '%s: nobody keeps what is not true, though each key is written once, while all read it',
  async (_, kinds) => {
    await start('1s', { tracking: { maxStaleness: kinds === 2 ? '20s' : '1s', maxKeys: 2000 } })
    const clients = [
      await tracking(),
      await caching(),
      await caching('BCAST'),
      await caching('BCAST', 'PREFIX', 'k'),
      await caching('OPTOUT', 'NOLOOP'),
    ]
    const writers = [await plain(), await plain()]
    const until = Date.now() + LASTS
    let written = 0
    const write = async (writer: RawClient) => {
      while (Date.now() < until) await writer.exchange(request('SET', `k${written++}`, 'x'))
    }
    const near = () => `k${Math.max(0, written + Math.floor(Math.random() * 8) - 4)}`
    const read = async (client: CachingClient) => {
      while (Date.now() < until) await Promise.all(Array.from({ length: 4 }, () => client.get(near())))
    }
    const disturb = async () => {
      while (Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 500))
        const what = Math.floor(Math.random() * kinds)
        if (what === 0) proxy.others.delay = Math.random() * 10
        else if (what === 1) proxy.feed.delay = Math.random() * 30
        else if (what === 2) proxy.cutFeeds()
        else if (what === 3) proxy.feed.stall = 'reply'
        else proxy.release()
      }
      proxy.release()
    }
    await Promise.all([...clients.map(read), ...writers.map(write), disturb()])
    expect(await tracked(await caching())).toBe(true)
    // Of what was written, nobody still believes that it does not exist.
    const wrong = () =>
      clients.map(({ cache }) =>
        [...cache].filter(([key, value]) => value === null && Number(key.slice(1)) < written).map(([key]) => key),
      )
    await eventually(() => wrong().every(({ length }) => length === 0), 5000)
    expect(wrong()).toEqual(clients.map(() => []))
    expect(written).toBeGreaterThan(50)
    console.log(`tracking: ${written} keys written, ${clients.map(({ told }) => told.length).join(', ')} times told`)
  },
  180_000,
)

const LASTS = process.env.KEYWARD_TIER === 'drill' ? 300_000 : process.env.KEYWARD_TIER === 'long' ? 60_000 : 6000
