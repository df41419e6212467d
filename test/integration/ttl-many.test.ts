import { afterEach, beforeEach, expect, test } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Writes of very many keys: what follows them is several times as large as they are, and has limits like everything else. */

const TOO_MANY = '-ERR too many keys for the expiries that follow this command\r\n'

let redis: RedisServer
let fault: FaultProxy
let bare: RawClient
let keyward: Keyward
let client: RawClient

beforeEach(async () => {
  redis = await startRedis()
  fault = await FaultProxy.start({ port: redis.port })
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  client.destroy()
  expect(await leftovers(keyward)).toEqual({})
  expect(keyward.proxy.memory.total).toBe(0)
  bare.destroy()
  keyward.stop()
  await fault.stop()
  await redis.stop()
})

async function start(tenant: ConfigObject = {}, top: ConfigObject = {}): Promise<void> {
  const ttl = [{ keys: '*', default: '1h' }]
  const tenants = { acme: { upstream: 'main', users: { default: { password: 'acme' } }, ttl, ...tenant } }
  keyward = await startKeyward(configFor(fault, { tenants, ...top }, { lanes: 1 }))
  client = await keyward.connect({ password: 'acme' })
  expect(await eventually(() => keyward.proxy.view().upstreams[0].usable)).toBe(true)
}

const mset = (count: number) => request('MSET', ...Array.from({ length: count }, (_, i) => [`k${i}`, 'v']).flat())
/** Keys of the server, and those that expire. */
async function keyspace(): Promise<readonly number[]> {
  const line = (await redis.info('keyspace')).get('db0') ?? 'keys=0,expires=0'
  return [...line.matchAll(/(?:keys|expires)=(\d+)/g)].map(([, count]) => Number(count))
}
const errors = () => keyward.proxy.stats(keyward.proxy.config.tenants.get('acme')).errors

test('an MSET of 50,000 keys: every key gets its expiry, outside a transaction and in one', {
  timeout: 60_000,
}, async () => {
  await start()
  expect(String((await client.exchange(mset(50_000)))[0])).toBe('+OK\r\n')
  expect(await keyspace()).toEqual([50_000, 50_000])
  await bare.command('FLUSHALL')
  const replies = await client.exchange(Buffer.concat([request('MULTI'), mset(50_000), request('EXEC')]), 3)
  expect(replies.map(String)).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'])
  expect(await keyspace()).toEqual([50_000, 50_000])
})

test.each([
  ['buffers.request', { buffers: { request: '4MiB' } }, {}],
  ['memory', {}, { memory: '4MiB' }],
])('more keys than %s has room for: refused, and told; the client goes on', async (_, tenant, top) => {
  await start(tenant, top)
  // Some 1.2 MB by itself, and six with what would follow it.
  expect(String((await client.exchange(mset(50_000)))[0])).toBe(TOO_MANY)
  expect(await keyspace()).toEqual([0, 0])
  expect(errors().get('EXPIRYLIMIT')).toBe(1)
  const [said] = keyward.log.filter(({ msg }) => msg.startsWith('MSET refused: '))
  expect(said).toMatchObject({ level: 40, tenant: 'acme', command: 'mset', code: 'EXPIRYLIMIT' })
  expect(said.msg).toContain('buffers.request')
  expect(String((await client.exchange(mset(10_000)))[0])).toBe('+OK\r\n')
  expect(await keyspace()).toEqual([10_000, 10_000])
  await bare.command('FLUSHALL')
  const requests = [request('MULTI'), request('SET', 'a', 1), mset(50_000), request('EXEC'), request('GET', 'a')]
  const replies = await client.exchange(Buffer.concat(requests), 5)
  expect(replies.map(String)).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    TOO_MANY,
    '-EXECABORT Transaction discarded because of previous errors.\r\n',
    '$-1\r\n',
  ])
  expect(await keyspace()).toEqual([0, 0])
})

test('the connection is lost behind the write: the expiries of all its keys are sent again', async () => {
  await start()
  // The server gets the write, and the beginning of what follows it.
  const raw = request('MSET', ...Array.from({ length: 20_000 }, (_, i) => [`acme:k${i}`, 'v']).flat())
  fault.cutFrom('\r\nacme:k0\r\n', 'request', raw.length + 100_000, 'FIN')
  expect(String((await client.exchange(mset(20_000)))[0])).toMatch(/^-OUTCOMEUNKNOWN /)
  expect(fault.cuts).toBe(1)
  expect(await eventually(async () => (await keyspace()).join() === '20000,20000')).toBe(true)
  expect(keyward.proxy.view().ttl).toMatchObject([{ failed: 0 }])
})

test('it is big, and takes the connection of big ones: others do not wait behind it', async () => {
  await start()
  expect(await client.command('INCR', 'a')).toBe(':1\r\n')
  const bulk = () => keyward.proxy.view().upstreams[0].node.connections.bulk
  expect(bulk()).toBe(0)
  // By itself it is below `bulk`.
  const bytes = mset(20_000)
  expect(bytes.length).toBeLessThan(1 << 20)
  expect(String((await client.exchange(bytes))[0])).toBe('+OK\r\n')
  expect(bulk()).toBe(1)
})
