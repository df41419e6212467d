import assert from 'node:assert/strict'
import type { Cache } from './cache.ts'

const HOUR = 3600

/**
 * Everything that the cache's users do, with its results. `owner` colours the values: two owners use the same names.
 * Leaves `kept()` behind.
 */
export async function useCache(cache: Cache, owner: string): Promise<void> {
  assert.equal(await cache.ping(), true)
  assert.equal(await cache.get('greeting'), undefined)
  assert.equal(await cache.has('greeting'), false)
  assert.equal(
    await cache.set('greeting', `${owner} says hello`, { ttl: HOUR, meta: { owner, route: '/hello' } }),
    true,
  )
  assert.equal(await cache.get('greeting'), `${owner} says hello`)
  assert.deepEqual(await cache.meta('greeting'), { owner, route: '/hello' })
  assert.equal(await cache.has('greeting'), true)
  // What is stored anew without metadata must not keep the old one's.
  assert.equal(await cache.set('greeting', `${owner} says goodbye`), true)
  assert.equal(await cache.meta('greeting'), undefined)
  assert.equal(await cache.delete('greeting'), true)
  assert.equal(await cache.delete('greeting'), false)

  const batch = new Map(Array.from({ length: 50 }, (_, i) => [`batch:${i}`, `${owner} ${i}`]))
  assert.equal(await cache.setMany(batch, HOUR), 50)
  assert.deepEqual(await cache.getMany([...batch.keys()]), batch)
  assert.deepEqual(await cache.getMany(['batch:3', 'batch:none']), new Map([['batch:3', `${owner} 3`]]))
  assert.equal(await cache.deleteMany([...batch.keys(), 'batch:none']), 50)
  assert.deepEqual(await cache.getMany([...batch.keys()]), new Map())

  for (const [key, value] of kept(owner))
    assert.equal(await cache.set(key, value, { ttl: HOUR, meta: { owner } }), true)
  assert.deepEqual(await cache.keys(), [...kept(owner).keys()].sort())
  assert.deepEqual(await cache.keys('user:?'), ['user:1', 'user:2'])
  assert.deepEqual(await cache.keys('odd \\[\\*\\]*'), ['odd [*]?^\\'])
  assert.deepEqual(await cache.keys(`${owner}:*`), [])
}

/** What useCache leaves in the cache. */
export function kept(owner: string): Map<string, string> {
  return new Map([
    ['user:1', `${owner}: one`],
    ['user:2', `${owner}: two`],
    ['user:10', `${owner}: ten`],
    ['odd [*]?^\\', `${owner}: glob\r\n`],
    ['page:/a b?c=d', ''],
  ])
}
