import { afterEach, beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { freePort } from '../helpers/free-port.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A new configuration takes the place of the old one while clients are in the middle of something. */
let redis: RedisServer
let keyward: Keyward
let bare: RawClient

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  bare.destroy()
  keyward.stop()
  await redis.stop()
})

const reload = (config: ConfigObject) =>
  keyward.proxy.reload(
    parseConfig(stringify(config), { source: 'test.yaml', env: process.env, baseDir: process.cwd() }),
  )

test('an open transaction and a blocked client survive another setting of their upstream', async () => {
  keyward = await startKeyward(configFor(redis))
  const [one, two] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'acme' })]
  await one.command('MULTI')
  await one.command('SET', 'z', 1)
  two.send(request('BLPOP', 'q', '0'))
  expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
  await reload(configFor(redis, {}, { keepAlive: '17s' }))
  // Two looks of the old node at its connections.
  await one.silence(300)
  expect(await one.command('EXEC')).toBe('*1\r\n+OK\r\n')
  expect(await one.command('GET', 'z')).toBe('$1\r\n1\r\n')
  await bare.command('RPUSH', 'acme:q', 'x')
  expect(String(await two.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  expect(await two.command('BLPOP', 'q', '0.05')).toBe('*-1\r\n')
  for (const client of [one, two]) client.destroy()
  expect(await eventually(() => places(keyward).pinsBlocked + places(keyward).pinsTransaction === 0)).toBe(true)
})

test('what is held for an upstream that is away goes to the address of the new configuration', async () => {
  const away = { url: `redis://127.0.0.1:${await freePort()}` }
  keyward = await startKeyward(configFor(away, {}, { hold: { time: '30s' } }))
  const client = await keyward.connect({ password: 'acme' })
  client.send(Buffer.concat([request('SET', 'a', 1), request('GET', 'a')]))
  expect(await eventually(() => places(keyward).held === 2)).toBe(true)
  await reload(configFor(redis, {}, { hold: { time: '30s' } }))
  expect((await client.replies(2)).map(String)).toEqual(['+OK\r\n', '$1\r\n1\r\n'])
  client.destroy()
})

test('a walk over the keyspace goes on with the new node', async () => {
  await bare.command('EVAL', "for i = 1, 20000 do redis.call('SET', 'other:' .. i, 'v') end", 0)
  keyward = await startKeyward(configFor(redis, {}, { scan: { share: '5%' } }))
  const client = await keyward.connect({ password: 'acme' })
  await client.command('MSET', 'a', 1, 'b', 2)
  client.send(request('DBSIZE'))
  const calls = async () =>
    Number(/cmdstat_scan:calls=(\d+)/.exec(await bare.command('INFO', 'commandstats'))?.[1] ?? 0)
  expect(await eventually(async () => (await calls()) > 2)).toBe(true)
  await reload(configFor(redis, {}, { scan: { share: '60%' } }))
  expect(String(await client.reply())).toBe(':2\r\n')
  client.destroy()
})

test('a tenant that is gone loses its clients, one that stays keeps them', async () => {
  keyward = await startKeyward(configFor(redis))
  const [acme, beta] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'beta' })]
  const config = configFor(redis)
  const { acme: kept } = config.tenants as { acme: unknown }
  await reload({ ...config, tenants: { acme: kept } })
  await beta.closed()
  expect(await acme.command('SET', 'a', 1)).toBe('+OK\r\n')
  acme.destroy()
})

test('a reload that would move keys out of sight changes nothing', async () => {
  keyward = await startKeyward(configFor(redis))
  const client = await keyward.connect({ password: 'acme' })
  await client.command('SET', 'a', 1)
  const config = configFor(redis)
  const { acme } = config.tenants as { acme: object }
  const moved = { ...config, tenants: { ...(config.tenants as object), acme: { ...acme, prefix: 'elsewhere:' } } }
  await expect(reload(moved)).rejects.toThrow(/acme/)
  expect(keyward.proxy.generation).toBe(1)
  expect(await client.command('GET', 'a')).toBe('$1\r\n1\r\n')
  client.destroy()
})

test('who waits for a connection of its own gets it from the new node, and gives it back there', async () => {
  const pins = { max: 1, perTenant: 1 }
  keyward = await startKeyward(configFor(redis, {}, { pins }))
  const [one, two] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'acme' })]
  await one.command('WATCH', 'x')
  two.send(request('MULTI'))
  expect(await eventually(() => places(keyward).pinsWaiting === 1)).toBe(true)
  await reload(configFor(redis, {}, { pins, lanes: 3 }))
  expect(String(await two.reply())).toBe('+OK\r\n')
  await two.command('SET', 'y', 1)
  expect(await two.command('EXEC')).toBe('*1\r\n+OK\r\n')
  expect(await one.command('UNWATCH')).toBe('+OK\r\n')
  for (const client of [one, two]) client.destroy()
  // Only the new node's two lanes and its monitor of ours are left.
  expect(await eventually(async () => Number((await redis.info('clients')).get('connected_clients')) <= 5)).toBe(true)
  expect(places(keyward).pinsTransaction).toBe(0)
})
