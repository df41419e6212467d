import { afterEach, beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A flush takes long, and things happen meanwhile; and counts are asked for while others come and go. */
let redis: RedisServer
let bare: RawClient
let keyward: Keyward

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  keyward.stop()
  bare.destroy()
  await redis.stop()
})

const POPULATE = "for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, 'v') end"
const populate = (prefix: string, count: number) => bare.command('EVAL', POPULATE, 0, prefix, count)

async function countOf(pattern: string): Promise<number> {
  return Number((await bare.command('EVAL', "return #redis.call('KEYS', ARGV[1])", 0, pattern)).slice(1))
}

test('what was sent before the flush is executed before it, whole', async () => {
  keyward = await startKeyward(configFor(redis, {}, { lanes: 4 }))
  await populate('foreign:', 20_000)
  const [flusher, ...writers] = await Promise.all(
    Array.from({ length: 13 }, () => keyward.connect({ password: 'acme' })),
  )
  for (let round = 0; round < 8; round++) {
    const answered = writers.map((writer, w) => {
      const requests: Buffer[] = []
      for (let i = 0; i < 200; i++) {
        const id = `${round}:${w}:${i}`
        requests.push(request('MSET', `x${id}`, 1, `y${id}`, 1, `z${id}`, 1))
      }
      return writer.exchange(Buffer.concat(requests), requests.length)
    })
    await new Promise((resolve) => setTimeout(resolve, round))
    expect(await flusher.command('FLUSHDB')).toBe('+OK\r\n')
    await Promise.all(answered)
    const left = (await bare.command('EVAL', "return table.concat(redis.call('KEYS', 'acme:*'), ' ')", 0)).match(
      /[xyz]\d+:\d+:\d+/g,
    )
    const triples = new Map<string, number>()
    for (const key of left ?? []) triples.set(key.slice(1), (triples.get(key.slice(1)) ?? 0) + 1)
    expect([...triples].filter(([, count]) => count !== 3)).toEqual([])
  }
  for (const client of [flusher, ...writers]) client.destroy()
})

test('a flush that is broken off after keys were deleted does not say that nothing was sent', async () => {
  keyward = await startKeyward(configFor(redis, {}, { scan: { share: '5%' }, hold: { time: '600ms' } }))
  await populate('acme:', 40_000)
  const client = await keyward.connect({ password: 'acme' })
  client.send(request('FLUSHDB'))
  expect(await eventually(async () => (await countOf('acme:*')) < 40_000)).toBe(true)
  await redis.kill('SIGKILL')
  expect(String(await client.reply())).toMatch(/^-OUTCOMEUNKNOWN /)
  expect(keyward.log.some(({ msg }) => msg.startsWith('flush: broken off'))).toBe(true)
  client.destroy()
})

test('a flush whose first deletion was executed, and not confirmed, does not say that nothing was sent', async () => {
  const proxy = await FaultProxy.start({ port: redis.port })
  keyward = await startKeyward(configFor(redis, {}, { url: proxy.url, lanes: 1, hold: { time: '600ms' } }))
  await populate('acme:', 5)
  const client = await keyward.connect({ password: 'acme' })
  expect(await client.command('PING')).toBe('+PONG\r\n')
  proxy.unlisten()
  proxy.cutFrom('UNLINK', 'reply', 0)
  expect(await client.command('FLUSHDB')).toMatch(/^-OUTCOMEUNKNOWN /)
  expect(await countOf('acme:*')).toBe(0)
  client.destroy()
  proxy.reset()
})

test('a flush whose tenant and upstream are gone after a reload ends without a fault', async () => {
  const acme = { upstream: 'main', users: { default: { password: 'acme' } } }
  const beta = { upstream: 'second', users: { default: { password: 'beta' } } }
  const [main, second] = [{ url: redis.url, scan: { share: '5%' } }, { url: redis.url }]
  keyward = await startKeyward(configFor(redis, { upstreams: { main, second }, tenants: { acme, beta } }))
  await populate('acme:', 40_000)
  const client = await keyward.connect({ password: 'acme' })
  client.send(request('FLUSHDB'))
  expect(await eventually(() => keyward.proxy.gates.closed)).toBe(true)
  const config = stringify(configFor(redis, { upstreams: { second }, tenants: { beta } }))
  await keyward.proxy.reload(parseConfig(config, { source: 'test.yaml', env: {}, baseDir: '.' }))
  expect(await eventually(() => !keyward.proxy.gates.closed, 30_000)).toBe(true)
  expect(keyward.proxy.faults).toBe(0)
})

test('draining waits for a flush whose client has left', async () => {
  keyward = await startKeyward(configFor(redis, {}, { scan: { share: '10%' } }))
  await populate('acme:', 40_000)
  const client = await keyward.connect({ password: 'acme' })
  client.send(request('FLUSHDB'))
  expect(await eventually(() => keyward.proxy.gates.closed)).toBe(true)
  client.reset()
  await keyward.proxy.drain()
  expect(await countOf('acme:*')).toBe(0)
})

test('tenants of the same prefix on two upstreams have counts of their own', async () => {
  const second = await startRedis()
  const tenant = (upstream: string, password: string) => ({ upstream, prefix: 'p:', users: { default: { password } } })
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url, scan: { share: '5%' } }, second: { url: second.url } },
      tenants: { acme: tenant('main', 'acme'), beta: tenant('second', 'beta') },
    }),
  )
  await populate('p:', 20_000)
  await second.cli('MSET', 'p:a', '1', 'p:b', '2')
  const [one, two, beta] = await Promise.all(['acme', 'acme', 'beta'].map((password) => keyward.connect({ password })))
  const counts = [one.command('DBSIZE')]
  await new Promise((resolve) => setTimeout(resolve, 5))
  counts.push(two.command('DBSIZE'))
  await new Promise((resolve) => setTimeout(resolve, 5))
  counts.push(beta.command('DBSIZE'))
  expect(await Promise.all(counts)).toEqual([':20000\r\n', ':20000\r\n', ':2\r\n'])
  expect(await beta.command('INFO', 'keyspace')).toContain('db0:keys=2,')
  for (const client of [one, two, beta]) client.destroy()
  await second.stop()
})

test('a client that left while it waited for a count takes nobody with it', async () => {
  keyward = await startKeyward(configFor(redis, {}, { scan: { share: '5%' } }))
  await populate('acme:', 20_000)
  const [one, two, three] = await Promise.all(Array.from({ length: 3 }, () => keyward.connect({ password: 'acme' })))
  one.send(request('DBSIZE'))
  expect(await eventually(() => places(keyward).running === 1)).toBe(true)
  two.send(request('DBSIZE'))
  expect(await eventually(() => places(keyward).running === 2)).toBe(true)
  two.reset()
  expect(await eventually(() => places(keyward).clients === 2)).toBe(true)
  expect(await three.command('DBSIZE')).toBe(':20000\r\n')
  expect(String(await one.reply())).toBe(':20000\r\n')
  for (const client of [one, three]) client.destroy()
})
