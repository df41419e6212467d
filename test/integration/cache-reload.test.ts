import { afterEach, beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { ALL_KEYS, cachedConfig, executed, hits } from '../helpers/cached.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import { type ConfigObject, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, NOTHING_LEFT, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A reload gives a tenant a cache, or another one, while writes are under way that the new cache has not seen: once such a write is
 * acknowledged, nobody reads what was there before it.
 *
 * Redis is behind a proxy that can keep a request, and delay the feed.
 */

/** Over the configured `bulk`. */
const BIG = 'x'.repeat(5000)

let redis: RedisServer
let net: FeedProxy
let bare: RawClient
let keyward: Keyward
const clients: RawClient[] = []

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  net = await FeedProxy.start({ port: redis.port })
})

afterEach(async () => {
  net.release()
  for (const client of clients.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(() => places(keyward).unanswered === 0)).toBe(true)
  expect(places(keyward)).toMatchObject(NOTHING_LEFT)
  keyward?.stop()
  bare.destroy()
  await net.stop()
  await redis.stop()
})

function configOf(rules: readonly object[] | undefined): ConfigObject {
  const config = cachedConfig(net, { upstream: { keepAlive: '1h', bulk: '4KiB' }, cache: { rules } })
  if (rules === undefined) {
    for (const tenant of Object.values(config.tenants as Record<string, ConfigObject>)) delete tenant.cache
  }
  return config
}

const reload = (rules: readonly object[]) =>
  keyward.proxy.reload(
    parseConfig(stringify(configOf(rules)), { source: 'test.yaml', env: process.env, baseDir: process.cwd() }),
  )

async function connect(): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  return client
}

/** Each sets `k`, on a connection of its own, in a chunk with a text that marks it. */
const WRITES: readonly { name: string; requests: readonly Buffer[]; mark: string }[] = [
  { name: 'a big value', requests: [request('SET', 'k', `new${BIG}`)], mark: 'acme:k' },
  { name: 'several keys', requests: [request('MSET', 'k', 'new', 'l', BIG)], mark: 'acme:k' },
  {
    name: 'a transaction',
    requests: [request('MULTI'), request('SET', 'k', 'new'), request('EXEC')],
    mark: 'EXEC',
  },
]

test.each(
  WRITES.flatMap((write) => [
    { ...write, before: 'no cache', rules: undefined },
    { ...write, before: 'other rules', rules: [{ ...ALL_KEYS, keys: 'other:*' }] },
  ]),
)('$name under way at a reload, and before it $before: once acknowledged, it is read', async (one) => {
  keyward = await startKeyward(configOf(one.rules))
  const [reader, writer] = [await connect(), await connect()]
  // The connection of big values is there.
  await writer.command('SET', 'big', BIG)
  await reader.command('SET', 'k', 'old')
  net.holdRequest(one.mark)
  writer.send(Buffer.concat([...one.requests]))
  expect(await eventually(() => net.stuck)).toBe(true)
  await reload([ALL_KEYS])
  expect(await hits(reader, bare, 'k')).toBe(true)
  // From now on the feed is late enough that nobody but the write itself says that it was done.
  net.release()
  net.feed.delay = 500
  await writer.replies(one.requests.length)
  for (let n = 0; n < 3; n++) expect(await reader.command('GET', 'k')).toMatch(/^\$\d+\r\nnew/)
  net.release()
})

test('a reload that leaves the cache as it is drops nothing for the writes that are under way', async () => {
  keyward = await startKeyward(configOf([ALL_KEYS]))
  const [reader, writer] = [await connect(), await connect()]
  await writer.command('SET', 'big', BIG)
  await reader.command('SET', 'l', 'v')
  net.holdRequest('acme:k')
  writer.send(request('SET', 'k', BIG))
  expect(await eventually(() => net.stuck)).toBe(true)
  expect(await hits(reader, bare, 'l')).toBe(true)
  await reload([ALL_KEYS])
  net.release()
  await writer.replies(1)
  expect((await executed(bare, () => reader.command('GET', 'l'))).get).toBeUndefined()
})
