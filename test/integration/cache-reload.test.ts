import { expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, executed, hits } from '../helpers/cached.ts'
import type { ConfigObject } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { bare, connect, net, reload, stageCacheBehindProxy, start } from './cache-stage.ts'

/**
 * A reload gives a tenant a cache, or another one, while writes are under way that the new cache has not seen: once such a write is
 * acknowledged, nobody reads what was there before it.
 *
 * Redis is behind a proxy that can keep a request, and delay the feed.
 */

/** Over the configured `bulk`. */
const BIG = 'x'.repeat(5000)

stageCacheBehindProxy()

function configOf(rules: readonly object[] | undefined): ConfigObject {
  const config = cachedConfig(net, { upstream: { keepAlive: '1h', bulk: '4KiB' }, cache: { rules } })
  if (rules === undefined) {
    for (const tenant of Object.values(config.tenants as Record<string, ConfigObject>)) delete tenant.cache
  }
  return config
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
  await start(configOf(one.rules))
  const [reader, writer] = [await connect(), await connect()]
  // The connection of big values is there.
  await writer.command('SET', 'big', BIG)
  await reader.command('SET', 'k', 'old')
  net.holdRequest(one.mark)
  writer.send(Buffer.concat([...one.requests]))
  expect(await eventually(() => net.stuck)).toBe(true)
  await reload(configOf([ALL_KEYS]))
  expect(await hits(reader, bare, 'k')).toBe(true)
  // From now on the feed is late enough that nobody but the write itself says that it was done.
  net.release()
  net.feed.delay = 500
  await writer.replies(one.requests.length)
  for (let n = 0; n < 3; n++) expect(await reader.command('GET', 'k')).toMatch(/^\$\d+\r\nnew/)
  net.release()
})

test('a reload that leaves the cache as it is drops nothing for the writes that are under way', async () => {
  await start(configOf([ALL_KEYS]))
  const [reader, writer] = [await connect(), await connect()]
  await writer.command('SET', 'big', BIG)
  await reader.command('SET', 'l', 'v')
  net.holdRequest('acme:k')
  writer.send(request('SET', 'k', BIG))
  expect(await eventually(() => net.stuck)).toBe(true)
  expect(await hits(reader, bare, 'l')).toBe(true)
  await reload(configOf([ALL_KEYS]))
  net.release()
  await writer.replies(1)
  expect((await executed(bare, () => reader.command('GET', 'l'))).get).toBeUndefined()
})
