import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { CachingClient, tracked } from '../helpers/caching-client.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What the tests of CLIENT TRACKING share: a server behind Keyward, and clients that end with their test. */
export let redis: RedisServer
export let keyward: Keyward
export const open: { destroy(): void }[] = []

export function stageTracking(): void {
  beforeAll(async () => {
    redis = await startRedis()
    const tenant = (name: string) => ({ upstream: 'main', users: { default: { password: name } } })
    const tenants = { acme: tenant('acme'), beta: tenant('beta'), many: { ...tenant('many'), databases: 4 } }
    keyward = await startKeyward(configFor(redis, { tenants, tracking: { maxStaleness: '20s' } }))
  }, 60_000)

  afterEach(async () => {
    for (const one of open.splice(0)) one.destroy()
    await redis.cli('FLUSHALL')
    expect(keyward.proxy.faults).toBe(0)
  })

  afterAll(async () => {
    keyward?.stop()
    await redis?.stop()
  })
}

export async function caching(tenant: string, ...tracking: readonly string[]): Promise<CachingClient> {
  const client = await CachingClient.connect(keyward, tenant, ...tracking)
  open.push(client)
  return client
}

/** The same, once writes are heard of. */
export async function tracking(tenant: string, ...options: readonly string[]): Promise<CachingClient> {
  const first = await caching(tenant)
  expect(await tracked(first)).toBe(true)
  return caching(tenant, ...options)
}

export async function plain(tenant: string): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  open.push(client)
  return client
}

/** All that was written before this has been told: this client's own word for it comes last. */
export async function settled(client: CachingClient): Promise<string[]> {
  await redis.cli('SET', 'acme:last', 'x', 'GET')
  await eventually(() => client.told.includes('last'))
  await client.say('PING')
  return client.take().filter((key) => key !== 'last')
}

/** Whatever was on its way to it has come. */
export async function settle(client: CachingClient): Promise<void> {
  await client.fetch('last')
  await settled(client)
}
