import { afterAll, beforeAll, expect, test } from 'vitest'
import { CachingClient, tracked } from '../helpers/caching-client.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

// A replica could answer with what the primary has already told to be outdated.
let primary: RedisServer
let replica: RedisServer
let keyward: Keyward

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync yes', 'repl-diskless-sync-delay 0'] })
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
  await replica.cli('CONFIG', 'SET', 'replica-announce-port', String(replica.port))
  const acme = { upstream: 'main', users: { default: { password: 'acme' } }, replicas: { read: 'prefer' } }
  keyward = await startKeyward(configFor(primary, { tenants: { acme }, tracking: { maxStaleness: '20s' } }))
}, 60_000)

afterAll(async () => {
  keyward?.stop()
  await Promise.all([replica?.stop(), primary?.stop()])
})

test('a client that tracks reads the primary, and a replica again when it does not', async () => {
  const reads = async () =>
    Number(/calls=(\d+)/.exec((await replica.info('commandstats')).get('cmdstat_get') ?? '')?.[1] ?? 0)
  const client = await CachingClient.connect(keyward, 'acme')
  const prefersReplica = async () => {
    const before = await reads()
    for (let i = 0; i < 20; i++) await client.fetch('k')
    return (await reads()) > before
  }
  await client.say('CLIENT', 'TRACKING', 'OFF')
  expect(await eventually(prefersReplica)).toBe(true)
  await client.say('CLIENT', 'TRACKING', 'ON')
  expect(await prefersReplica()).toBe(false)
  expect(await tracked(client)).toBe(true)
  await client.fetch('k')
  await primary.cli('SET', 'acme:k', '1')
  expect(await client.heard(1)).toEqual(['k'])
  expect(await client.fetch('k')).toBe('1')
  await client.say('CLIENT', 'TRACKING', 'OFF')
  expect(await eventually(prefersReplica)).toBe(true)
  client.destroy()
})
