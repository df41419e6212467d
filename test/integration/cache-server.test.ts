import { expect, test } from 'vitest'
import { cachedConfig, callsOf, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { type ConfigObject, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { bare, connect, keyward, pipeline, redis, remembered, stageCache, start } from './cache-stage.ts'

/**
 * The near cache: a read that was answered before is answered again from memory, byte for byte as Redis answers it; and
 * what must not come from memory never does.
 */
stageCache()

test('limits count what comes from memory, too', async () => {
  await start(cachedConfig(redis, { tenant: { limits: [{ name: 'few', rate: '1/h', burst: 30 }] } }))
  const client = await connect()
  const replies: string[] = []
  for (let i = 0; i < 40; i++) replies.push(await client.command('GET', 'k'))
  expect(replies.slice(0, 30)).toEqual(Array<string>(30).fill('$-1\r\n'))
  for (const reply of replies.slice(30)) expect(reply).toMatch(/^-RATELIMITED few: /)
})

test('keys that Redis evicts are gone here, too', async () => {
  const small = await startRedis()
  const direct = await RawClient.connect({ port: small.port })
  try {
    await start(cachedConfig(small))
    const client = await connect()
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
    for (const key of keys) await client.command('SET', key, 'x'.repeat(1000))
    expect(await hits(client, direct)).toBe(true)
    for (const key of keys) await client.command('GET', key)
    const held = () => pipeline(direct, ...keys.map((key) => ['GET', `acme:${key}`]))
    await direct.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
    await direct.command('CONFIG', 'SET', 'maxmemory', Number((await small.info('memory')).get('used_memory')))
    let truth = await held()
    for (let i = 0; i < 500 && !truth.includes('$-1\r\n'); i++) {
      await direct.command('SET', `other:${i}`, 'y'.repeat(5000))
      truth = await held()
    }
    await direct.command('CONFIG', 'SET', 'maxmemory', 0)
    truth = await held()
    expect(truth).toContain('$-1\r\n')
    const caughtUp = async () => (await pipeline(client, ...keys.map((key) => ['GET', key]))).join() === truth.join()
    expect(await eventually(caughtUp, 3 * MAX_STALENESS)).toBe(true)
    // How long what was read may be kept is still being asked for: without the server that would wait for its return.
    expect(await eventually(() => places(keyward).sent === 0)).toBe(true)
  } finally {
    direct.destroy()
    await small.stop()
  }
})

test('an operator empties the server', async () => {
  await start(cachedConfig(redis, { tenant: { databases: 2 } }))
  const client = await connect()
  const others = await connect(2, 'beta')
  for (const empty of [['FLUSHALL'], ['FLUSHDB'], ['FLUSHALL', 'ASYNC']]) {
    for (const one of [client, others]) {
      await one.command('MSET', 'a', 1, 'b', 2)
      expect(await remembered(one, 'GET', 'a')).toBe(true)
      expect(await remembered(one, 'MGET', 'a', 'b')).toBe(true)
    }
    await bare.command(...empty)
    for (const one of [client, others]) {
      expect(await eventually(async () => (await one.command('GET', 'a')) === '$-1\r\n', 3 * MAX_STALENESS)).toBe(true)
      expect(await one.command('MGET', 'a', 'b')).toBe('*2\r\n$-1\r\n$-1\r\n')
    }
  }
})

test('the server tracks nothing for Keyward but by prefixes, and nothing when no tenant caches', async () => {
  await start(cachedConfig(redis))
  expect(await eventually(async () => /flags=\S*B/.test(await bare.command('CLIENT', 'LIST')))).toBe(true)
  const tracked = (await bare.command('INFO', 'stats')).match(/tracking_total_(keys|prefixes):\d+/g)
  expect(tracked).toEqual(['tracking_total_keys:0', 'tracking_total_prefixes:2'])
  const config = cachedConfig(redis)
  for (const tenant of Object.values(config.tenants as Record<string, ConfigObject>)) delete tenant.cache
  const plain = await startKeyward(config)
  const client = await plain.connect({ password: 'acme' })
  const before = await callsOf(bare)
  expect(await client.command('SET', 'a', 1)).toBe('+OK\r\n')
  expect((await executed(bare, () => client.command('GET', 'a'))).get).toBe(1)
  client.destroy()
  plain.stop()
  expect((await callsOf(bare)).get('client|tracking')).toBe(before.get('client|tracking'))
})
