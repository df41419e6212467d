import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { Cache } from './002-cache/cache.ts'
import { kept, useCache } from './002-cache/workload.ts'

/**
 * Two applications with a cache each that believes to be alone in its Redis: same names, other values. Clearing one
 * leaves the other; while Redis is away both go on without a cache, in bounded time.
 */
const OWNERS = ['acme', 'beta'] as const
type Owner = (typeof OWNERS)[number]
/** Milliseconds. Ordinary work must not fail on a busy machine. */
const PATIENT = 60_000
/** Gives up before Keyward does. */
const HASTY = 700
/** In which every call must have come to an end, by the cache's own limit or by Keyward's. */
const BOUND = 25_000

let redis: RedisServer
let keyward: Keyward
let caches: Cache[] = []

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(
    configFor(redis, {}, { hold: { time: '500ms' }, timeouts: { connect: '1s', request: '1s' } }),
  )
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

beforeEach(async () => {
  await redis.cli('FLUSHALL')
})

afterEach(() => {
  for (const cache of caches) cache.close()
  caches = []
})

async function openCache(owner: Owner, patience = PATIENT): Promise<Cache> {
  const cache = new Cache({ host: '127.0.0.1', port: keyward.port, password: owner, patience })
  caches.push(cache)
  expect(await cache.connect()).toBe(true)
  return cache
}

async function rawKeys(): Promise<string[]> {
  return (await redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '')
}

/** The raw keys of all that useCache leaves behind. */
function rawKept(owner: Owner): string[] {
  return [...kept(owner).keys()].flatMap((key) => [`${owner}:${key}`, `${owner}:${key}:meta`])
}

describe('two caches', () => {
  let acme: Cache
  let beta: Cache

  beforeEach(async () => {
    ;[acme, beta] = [await openCache('acme'), await openCache('beta')]
    await Promise.all([useCache(acme, 'acme'), useCache(beta, 'beta')])
  })

  test('see their own entries, which lie behind their own prefix', async () => {
    expect(await acme.getMany([...kept('acme').keys()])).toEqual(kept('acme'))
    expect(await beta.getMany([...kept('beta').keys()])).toEqual(kept('beta'))
    expect((await rawKeys()).sort()).toEqual([...rawKept('acme'), ...rawKept('beta')].sort())
  })

  test('metadata expires with its value', async () => {
    for (const owner of OWNERS) {
      const [value, meta] = await Promise.all(
        [`${owner}:user:1`, `${owner}:user:1:meta`].map((key) => redis.cli('EXPIRETIME', key)),
      )
      expect(Number(value)).toBeGreaterThan(Date.now() / 1000 + 3000)
      expect(meta).toBe(value)
    }
  })

  test('the one that is cleared is empty, the other one is whole', async () => {
    expect(await acme.clear()).toBe(10)
    expect(await acme.keys()).toEqual([])
    expect(await acme.clear()).toBe(0)
    expect(await beta.getMany([...kept('beta').keys()])).toEqual(kept('beta'))
    expect((await rawKeys()).sort()).toEqual(rawKept('beta').sort())
  })

  test('a cache that is cleared while it is filled loses nothing that was stored afterwards', async () => {
    const filling = Array.from({ length: 20 }, (_, i) => acme.setMany(new Map([[`before:${i}`, 'x']]), 60))
    const clearing = acme.clear()
    await Promise.all([...filling, clearing])
    expect(await acme.setMany(new Map([['after', 'x']]), 60)).toBe(1)
    expect(await acme.keys('after')).toEqual(['after'])
    expect((await beta.keys()).length).toBe(5)
  })

  test('KEYS by an ordinary client finds what SCAN finds', async () => {
    const client = createClient({ url: `redis://:beta@127.0.0.1:${keyward.port}` })
    await client.connect()
    const all = [...kept('beta').keys()].flatMap((key) => [key, `${key}:meta`]).sort()
    expect([...(await client.keys('*'))].sort()).toEqual(all)
    expect([...(await client.keys('user:?'))].sort()).toEqual(['user:1', 'user:2'])
    expect(await client.keys('*acme*')).toEqual([])
    client.destroy()
  })

  test('statistics are of the own namespace', async () => {
    await acme.clear()
    await acme.set('only', 'one', { meta: { a: 1 } })
    const [ofAcme, ofBeta] = [await acme.stats(), await beta.stats()]
    expect(ofAcme.entries).toBe(1)
    expect(ofBeta.entries).toBe(5)
    // One miss for the first look-up, one in each of two batches, and all fifty of a deleted one.
    for (const { hits, misses, hitRate, failures } of [ofAcme, ofBeta]) {
      expect({ hits, misses, failures }).toEqual({ hits: 52, misses: 52, failures: 0 })
      expect(hitRate).toBe(0.5)
    }
    for (const [stats, keys] of [
      [ofAcme, 2],
      [ofBeta, 10],
    ] as const) {
      expect(stats.server.get('redis_version')).toBe(redis.version)
      expect(stats.server.get('role')).toBe('master')
      expect(stats.server.has('used_memory')).toBe(true)
      // DBSIZE has just counted.
      expect(stats.server.get('db0')).toMatch(new RegExp(`^keys=${keys},`))
      expect([...stats.server.keys()].filter((field) => /^db\d+$/.test(field))).toEqual(['db0'])
    }
  })
})

/** How long it took, in milliseconds, and what came. */
async function timed<T>(call: () => Promise<T>): Promise<{ took: number; result: T }> {
  const begun = performance.now()
  const result = await call()
  return { took: performance.now() - begun, result }
}

async function everythingMisses(cache: Cache): Promise<void> {
  const calls = {
    get: [() => cache.get('user:1'), undefined],
    has: [() => cache.has('user:1'), false],
    meta: [() => cache.meta('user:1'), undefined],
    set: [() => cache.set('user:1', 'x', { ttl: 60 }), false],
    delete: [() => cache.delete('user:1'), false],
    getMany: [() => cache.getMany(['user:1', 'user:2']), new Map()],
    setMany: [() => cache.setMany(new Map([['user:1', 'x']]), 60), 0],
    deleteMany: [() => cache.deleteMany(['user:1', 'user:2']), 0],
    keys: [() => cache.keys(), []],
    clear: [() => cache.clear(), 0],
  } satisfies Record<string, [() => Promise<unknown>, unknown]>
  // All at once: they wait beside each other, not one behind the other.
  const all = await Promise.all(Object.values(calls).map(([call]) => timed(call as () => Promise<unknown>)))
  for (const [i, name] of Object.keys(calls).entries()) {
    expect(all[i].result, name).toEqual(Object.values(calls)[i][1])
    expect(all[i].took, name).toBeLessThan(BOUND)
  }
}

/**
 * Every connection of the cache is answered whatever it asks for: transactions, single requests and walks take different
 * ways, which need not be open again at the same moment. What was asked while Redis was away is then over, too. A FLUSHDB
 * whose caller has given up may be executed until then, as it may be for any client that does not wait for replies.
 */
async function isBack(cache: Cache): Promise<void> {
  const find = async () => (await cache.keys('any')).length === 1
  const onEach = (call: () => Promise<boolean>) => Promise.all([call(), call()])
  const all = async () =>
    (await Promise.all([onEach(() => cache.set('any', '')), onEach(() => cache.has('any')), onEach(find)])).flat()
  expect(await eventually(async () => (await all()).every((done) => done), 60_000)).toBe(true)
}

describe.each([
  ['killed', 'SIGKILL'],
  ['hanging', 'SIGSTOP'],
] as const)('Redis is %s', (_, signal) => {
  test('calls are misses in bounded time, and it goes on when Redis is back', async () => {
    const [acme, beta] = [await openCache('acme'), await openCache('beta')]
    await Promise.all([useCache(acme, 'acme'), useCache(beta, 'beta')])
    const hasty = await openCache('acme', HASTY)
    const before = keyward.proxy.clients.size
    await redis.kill(signal)
    try {
      await Promise.all([acme, beta, hasty].map(everythingMisses))
      expect((await acme.stats()).failures).toBeGreaterThan(0)
      // Their connections are still those from before: it is Redis that is away, not Keyward.
      expect(keyward.proxy.clients.size).toBe(before)
    } finally {
      if (signal === 'SIGKILL') await redis.restart()
      else await redis.kill('SIGCONT')
    }
    for (const cache of [acme, beta, hasty]) await isBack(cache)
    expect([await acme.set('again', 'acme'), await beta.set('again', 'beta')]).toEqual([true, true])
    expect(await acme.get('again')).toBe('acme')
    expect(await beta.get('again')).toBe('beta')
    const keys = await rawKeys()
    expect(keys.filter((key) => !/^(acme|beta):/.test(key))).toEqual([])
    await Promise.all([acme.clear(), beta.clear()])
    await Promise.all([useCache(acme, 'acme'), useCache(beta, 'beta')])
  })
})

test('a cache that starts while Redis is away works once it is there', async () => {
  await redis.kill('SIGKILL')
  const cache = new Cache({ host: '127.0.0.1', port: keyward.port, password: 'acme', patience: PATIENT })
  caches.push(cache)
  try {
    await cache.connect()
    await everythingMisses(cache)
  } finally {
    await redis.restart()
  }
  await isBack(cache)
  expect(await cache.set('x', 'y')).toBe(true)
  await cache.clear()
  await useCache(cache, 'acme')
})
