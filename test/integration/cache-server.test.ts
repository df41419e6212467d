import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { cachedConfig, callsOf, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { type ConfigObject, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, NOTHING_LEFT, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The near cache: a read that was answered before is answered again from memory, byte for byte as Redis answers it; and
 * what must not come from memory never does.
 */
let redis: RedisServer
let bare: RawClient
let keyward: Keyward | undefined
const clients: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  if (keyward !== undefined) {
    expect(await eventually(() => places(keyward as Keyward).clients === 0)).toBe(true)
    expect(places(keyward)).toMatchObject(NOTHING_LEFT)
    keyward.stop()
  }
  keyward = undefined
  await bare.command('FLUSHALL')
})

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

async function start(more: Parameters<typeof cachedConfig>[1] = {}): Promise<void> {
  keyward = await startKeyward(cachedConfig(redis, more))
}

async function connect(protocol: 2 | 3 = 2, tenant = 'acme'): Promise<RawClient> {
  const client = await (keyward as Keyward).connect({ password: tenant })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

type Words = readonly (string | number)[]
const pipeline = async (client: RawClient, ...requests: Words[]) =>
  (await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)).map((frame) =>
    frame.toString('latin1'),
  )

/** Asked again and again, it soon is answered without the server. */
async function remembered(client: RawClient, ...words: Words): Promise<boolean> {
  await client.command(...words)
  return eventually(async () => Object.keys(await executed(bare, () => client.command(...words))).length === 0, 5000)
}

test('limits count what comes from memory, too', async () => {
  await start({ tenant: { limits: [{ name: 'few', rate: '1/h', burst: 30 }] } })
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
    keyward = await startKeyward(cachedConfig(small))
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
  } finally {
    direct.destroy()
    await small.stop()
  }
})

test('an operator empties the server', async () => {
  await start({ tenant: { databases: 2 } })
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
  await start()
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
