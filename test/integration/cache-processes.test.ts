import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { ask } from '../helpers/ask.ts'
import { ALL_KEYS, cachedConfig, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What the near cache promises beside other processes, over reloads, and beside replicas. */
let redis: RedisServer
let bare: RawClient
const started: Keyward[] = []
const clients: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const keyward of started.splice(0)) {
    keyward.stop()
    expect(keyward.proxy.faults).toBe(0)
  }
  await bare.command('FLUSHALL')
})

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

async function start(config: ConfigObject): Promise<Keyward> {
  const keyward = await startKeyward(config)
  started.push(keyward)
  return keyward
}

async function connect(keyward: Keyward, protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

const reload = (keyward: Keyward, config: ConfigObject) =>
  keyward.proxy.reload(parseConfig(stringify(config), { source: 'test.yaml', env: {}, baseDir: '.' }))

test('two processes: what one writes, the other tells within the bound; each tells its own at once', async () => {
  const [one, other] = [await start(cachedConfig(redis)), await start(cachedConfig(redis))]
  const [writer, reader] = [await connect(one), await connect(other)]
  for (const client of [writer, reader]) expect(await hits(client, bare)).toBe(true)
  let longest = 0
  for (let i = 0; i < 100; i++) {
    await writer.command('SET', 'k', `a${i}`)
    const at = performance.now()
    expect(await writer.command('GET', 'k')).toBe(`$${1 + String(i).length}\r\na${i}\r\n`)
    let asked = at
    for (let reply = ''; !reply.includes(`a${i}\r`); ) {
      asked = performance.now()
      reply = await reader.command('GET', 'k')
    }
    longest = Math.max(longest, asked - at)
    await reader.command('SET', 'k', `b${i}`)
    expect(await reader.command('GET', 'k')).toContain(`b${i}`)
  }
  console.log(`the other process told a write after ${longest.toFixed(1)} ms at the latest`)
  expect(longest).toBeLessThanOrEqual(MAX_STALENESS)
})

test('a reload: other rules hold at once, and nothing of before is told that they do not allow', async () => {
  const keyward = await start(cachedConfig(redis))
  const client = await connect(keyward)
  await client.command('SET', 'k', 1)
  expect(await hits(client, bare, 'k')).toBe(true)

  await reload(keyward, cachedConfig(redis, { cache: { rules: [{ ...ALL_KEYS, keys: 'other:*' }] } }))
  expect((await executed(bare, () => client.command('GET', 'k'))).get).toBe(1)
  expect(await hits(client, bare, 'other:k')).toBe(true)
  await bare.command('SET', 'acme:k', 2)
  expect(await client.command('GET', 'k')).toBe('$1\r\n2\r\n')

  await reload(keyward, cachedConfig(redis))
  expect(await client.command('GET', 'k')).toBe('$1\r\n2\r\n')
  expect(await hits(client, bare, 'k')).toBe(true)

  const without = cachedConfig(redis)
  for (const tenant of Object.values(without.tenants as Record<string, ConfigObject>)) delete tenant.cache
  await reload(keyward, without)
  expect(
    (
      await executed(bare, async () => {
        for (let i = 0; i < 5; i++) await client.command('GET', 'k')
      })
    ).get,
  ).toBe(5)
  // Nobody needs to hear of writes any more.
  expect(await eventually(async () => !/flags=\S*B/.test(await bare.command('CLIENT', 'LIST')))).toBe(true)
  await bare.command('SET', 'acme:k', 3)
  expect(await client.command('GET', 'k')).toBe('$1\r\n3\r\n')
  await reload(keyward, cachedConfig(redis))
  expect(await client.command('GET', 'k')).toBe('$1\r\n3\r\n')
  expect(await hits(client, bare, 'k')).toBe(true)
})

test('reloads that change nothing, under way: no read is older than its own client’s write', {
  timeout: 120_000,
}, async () => {
  const keyward = await start(cachedConfig(redis))
  const [client, other] = [await connect(keyward), await connect(keyward)]
  expect(await hits(client, bare)).toBe(true)
  for (let round = 0; round < 10; round++) {
    const more = round % 2 === 0 ? { keepAlive: '31s' } : {}
    const reloading = reload(keyward, cachedConfig(redis, { upstream: more }))
    let over = false
    const end = reloading.then(() => {
      over = true
    })
    for (let i = 0; i < 20 || !over; i++) {
      await client.command('SET', 'k', `${round}-${i}`)
      for (const one of [client, other]) expect(await one.command('GET', 'k')).toContain(`${round}-${i}\r`)
    }
    await end
  }
  expect(await hits(client, bare, 'k')).toBe(true)
})

test('another upstream by reload: nothing of the old one is told', async () => {
  const second = await startRedis()
  const there = await RawClient.connect({ port: second.port })
  try {
    const keyward = await start(cachedConfig(redis))
    const client = await connect(keyward)
    await bare.command('SET', 'acme:k', 'first')
    await there.command('SET', 'acme:k', 'second')
    await client.command('GET', 'k')
    expect(await hits(client, bare, 'k')).toBe(true)
    await reload(keyward, cachedConfig(second))
    expect(await eventually(async () => (await client.command('GET', 'k')) === '$6\r\nsecond\r\n')).toBe(true)
    expect(await hits(client, there, 'k')).toBe(true)
    for (let i = 0; i < 20; i++) expect(await client.command('GET', 'k')).toBe('$6\r\nsecond\r\n')
  } finally {
    there.destroy()
    await second.stop()
  }
})

test('more than sixteen prefixes: all tenants cache, and none keeps what others are told', {
  timeout: 120_000,
}, async () => {
  const names = Array.from({ length: 20 }, (_, i) => `t${i}`)
  const tenants = Object.fromEntries(
    names.map((name) => [
      name,
      { upstream: 'main', users: { default: { password: name } }, cache: { rules: [ALL_KEYS] } },
    ]),
  )
  const keyward = await start(cachedConfig(redis, { top: { tenants } }))
  const all: RawClient[] = []
  for (const name of names) all.push(await keyward.connect({ password: name }))
  clients.push(...all)
  for (const [i, client] of all.entries()) {
    await client.command('SET', 'k', i)
    expect(await hits(client, bare, 'k')).toBe(true)
  }
  for (const [i] of all.entries()) {
    await bare.command('SET', `t${i}:k`, `new ${i}`)
    expect(await eventually(async () => (await all[i].command('GET', 'k')).includes(`new ${i}\r`), MAX_STALENESS)).toBe(
      true,
    )
  }
})

test('replicas: what is kept is the primary’s, however far the replica is behind', { timeout: 120_000 }, async () => {
  const link = await FaultProxy.start({ port: redis.port })
  const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${link.port}`, 'repl-timeout 600'] })
  try {
    await ask({ port: replica.port }, ['CONFIG', 'SET', 'replica-announce-port', replica.port])
    const keyward = await start(cachedConfig(redis, { tenant: { replicas: { read: 'prefer', maxLag: '1h' } } }))
    const readable = () => keyward.proxy.view().upstreams[0].replicas.length > 0
    expect(await eventually(readable)).toBe(true)
    const client = await connect(keyward)
    const other = await connect(keyward, 3)
    await client.command('SET', 'k', 'old')
    expect(await hits(client, bare, 'k')).toBe(true)
    link.faults = { stall: 'both' }
    for (let i = 0; i < 20; i++) {
      await bare.command('SET', 'acme:k', `new${i}`)
      const told = async () => {
        // One that is answered from memory or by a flight, and some that go upstream by themselves.
        other.send('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'.repeat(3))
        await other.replies(3)
        return (await client.command('GET', 'k')).includes(`new${i}\r`)
      }
      expect(await eventually(told, MAX_STALENESS)).toBe(true)
      for (let n = 0; n < 3; n++) {
        other.send('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'.repeat(3))
        expect((await other.replies(3)).map(String)).toEqual(Array(3).fill(`$${3 + String(i).length}\r\nnew${i}\r\n`))
        expect(await client.command('GET', 'k')).toContain(`new${i}\r`)
      }
    }
    link.heal()
  } finally {
    await replica.stop()
    await link.stop()
  }
})

test('a server that refuses tracking: nothing is kept, everything else works', async () => {
  const old = await startRedis({ config: ['rename-command CLIENT ""'] })
  const direct = await RawClient.connect({ port: old.port })
  try {
    const keyward = await start(cachedConfig(old))
    const client = await connect(keyward)
    for (let i = 0; i < 50; i++) {
      await direct.command('SET', 'acme:k', i)
      expect(await client.command('GET', 'k')).toBe(`$${String(i).length}\r\n${i}\r\n`)
    }
    const seen = await executed(direct, async () => {
      for (let i = 0; i < 20; i++) await client.command('GET', 'k')
    })
    expect(seen.get).toBe(20)
    expect(await eventually(() => keyward.log.some(({ level, msg }) => level >= 40 && /tracking/i.test(msg)))).toBe(
      true,
    )
  } finally {
    direct.destroy()
    await old.stop()
  }
})
