import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { CommandSpec } from '../../src/commands/spec.ts'
import { encodeRequest } from '../../src/resp/request-encoder.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import type { ConfigObject } from '../helpers/keyward.ts'
import { theTable } from '../helpers/local-client.ts'
import { type LoneUpstream, loneUpstream } from '../helpers/lone-upstream.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'

/** Fetches of the near cache: what comes back, and that something always comes back, once. */
let redis: RedisServer
const started: { stop(): unknown }[] = []
const lone: LoneUpstream[] = []

beforeAll(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  const faults = lone.splice(0).flatMap((one) => one.faults)
  for (const one of started.splice(0).reverse()) await one.stop()
  expect(faults).toEqual([])
})

afterAll(() => redis.stop())

async function upstreamAt(url: string, more: ConfigObject = {}): Promise<Upstream> {
  const one = loneUpstream(url, more)
  lone.push(one)
  started.push(one.upstream)
  const { upstream } = one
  upstream.cacheSource.feed.track(['acme:'])
  expect(await eventually(() => upstream.invalidations.view().connected && upstream.primary.usable)).toBe(true)
  return upstream
}

interface Fetched {
  readonly type: number
  readonly reply: string | undefined
}

/** The reply, or undefined. Fails when it comes at once. */
function fetch(upstream: Upstream, args: readonly string[], protocol: 2 | 3 = 2, tenant = 0): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    let calls = 0
    let at = true
    upstream.cacheSource.fetch(
      tenant,
      theTable().byName(args[0].toLowerCase()) as CommandSpec,
      encodeRequest(args),
      protocol,
      (type, reply) => {
        if (at) reject(new Error('at once'))
        if (++calls > 1) throw new Error('called twice')
        resolve({ type, reply: reply?.toString('latin1') })
      },
    )
    at = false
  })
}

const typed = (reply: string): Fetched => ({ type: reply.charCodeAt(0), reply })
const NONE: Fetched = { type: 0, reply: undefined }

test('whole replies, as the server sends them to a client of that protocol', async () => {
  const upstream = await upstreamAt(redis.url)
  await redis.cli('SET', 'acme:s', 'hello', 'PX', '100000')
  await redis.cli('HSET', 'acme:h', 'f', 'v')
  expect(await fetch(upstream, ['GET', 'acme:s'])).toEqual(typed('$5\r\nhello\r\n'))
  expect(await fetch(upstream, ['HGETALL', 'acme:h'], 2)).toEqual(typed('*2\r\n$1\r\nf\r\n$1\r\nv\r\n'))
  expect(await fetch(upstream, ['HGETALL', 'acme:h'], 3)).toEqual(typed('%1\r\n$1\r\nf\r\n$1\r\nv\r\n'))
  expect(await fetch(upstream, ['GET', 'acme:none'], 2)).toEqual(typed('$-1\r\n'))
  expect(await fetch(upstream, ['GET', 'acme:none'], 3)).toEqual(typed('_\r\n'))
  expect((await fetch(upstream, ['PTTL', 'acme:s'])).reply).toMatch(/^:\d{5,6}\r\n$/)
  const wrong = await fetch(upstream, ['GET', 'acme:h'])
  expect(wrong.type).toBe('-'.charCodeAt(0))
  expect(wrong.reply).toMatch(/^-WRONGTYPE .*\r\n$/)
  expect(upstream.cacheSource.view()).toEqual({ pending: 0, refused: 0 })
})

test('those of one turn are executed in their order, in one write', async () => {
  const upstream = await upstreamAt(redis.url)
  const before = Number((await redis.info('stats')).get('total_reads_processed'))
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, i) => fetch(upstream, i % 2 === 0 ? ['PTTL', 'acme:x'] : ['GET', 'acme:x'])),
  )
  expect(replies.map(({ reply }) => reply)).toEqual(
    Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? ':-2\r\n' : '$-1\r\n')),
  )
  // Heartbeats and questions of our own may be among them.
  expect(Number((await redis.info('stats')).get('total_reads_processed')) - before).toBeLessThan(20)
})

test('big values come whole, by the lanes for big ones once it is known', async () => {
  const upstream = await upstreamAt(redis.url, { bulk: '64KiB' })
  await redis.cli('SETRANGE', 'acme:big', '5000000', 'end')
  const wanted = `$5000003\r\n${'\0'.repeat(5_000_000)}end\r\n`
  for (let i = 0; i < 3; i++) {
    const { reply } = await fetch(upstream, ['GET', 'acme:big'])
    expect(reply === wanted).toBe(true)
  }
  expect(upstream.primary.view().connections.bulk).toBeGreaterThan(0)
})

test('what writes would not be heard of is not fetched', async () => {
  const upstream = await upstreamAt(redis.url)
  expect(await fetch(upstream, ['GET', 'beta:x'])).toEqual(NONE)
  expect(await fetch(upstream, ['MGET', 'acme:x', 'beta:x'])).toEqual(NONE)
  expect(await fetch(upstream, ['PING'])).toEqual(NONE)
  expect(upstream.cacheSource.view().refused).toBe(3)
  upstream.cacheSource.feed.track([])
  expect(await fetch(upstream, ['GET', 'acme:x'])).toEqual(NONE)
})

test('a connection that is lost on the way: it is fetched again', async () => {
  const proxy = await FaultProxy.start(redis)
  started.push(proxy)
  const upstream = await upstreamAt(proxy.url)
  await redis.cli('SET', 'acme:cut', 'hello')
  for (const bytes of [0, 4, 10]) {
    proxy.cutFrom('acme:cut', 'reply', bytes)
    expect(await fetch(upstream, ['GET', 'acme:cut'])).toEqual(typed('$5\r\nhello\r\n'))
  }
  expect(proxy.cuts).toBe(3)
})

test('a server that does not answer: undefined after the time-out, once', async () => {
  const server = await startRedis()
  started.push(server)
  const upstream = await upstreamAt(server.url, { timeouts: { request: '700ms' } })
  await server.kill('SIGSTOP')
  const begun = performance.now()
  expect(await Promise.all([fetch(upstream, ['GET', 'acme:x']), fetch(upstream, ['PTTL', 'acme:x'])])).toEqual([
    NONE,
    NONE,
  ])
  expect(performance.now() - begun).toBeGreaterThan(500)
  await server.kill('SIGCONT')
  expect(await eventually(() => upstream.cacheSource.view().pending === 0)).toBe(true)
  expect(await fetch(upstream, ['GET', 'acme:x'])).toEqual(typed('$-1\r\n'))
})

test('a server that is gone: it is down; what is asked is held, and fails after hold.time', async () => {
  const server = await startRedis()
  started.push(server)
  const upstream = await upstreamAt(server.url, { hold: { time: '1s', memory: '100B' } })
  expect(upstream.cacheSource.down).toBe(false)
  const coverage = upstream.cacheSource.feed.coverage
  // The feed is kept as if it were there, to see what becomes of the fetch.
  Object.defineProperty(upstream.cacheSource.feed, 'coverage', { value: coverage })
  Object.defineProperty(upstream.cacheSource.feed, 'covers', { value: () => true })
  await server.kill('SIGKILL')
  expect(await eventually(() => upstream.cacheSource.down)).toBe(true)
  const fetched = fetch(upstream, ['GET', 'acme:x'])
  expect(upstream.cacheSource.view().pending).toBe(1)
  expect(await fetched).toEqual(NONE)
  expect(upstream.cacheSource.view().pending).toBe(0)
  // There is no room to hold so many: some fail within the call, and are told of it later like the others.
  expect(await Promise.all(Array.from({ length: 10 }, () => fetch(upstream, ['GET', 'acme:x'])))).toEqual(
    Array.from({ length: 10 }, () => NONE),
  )
  expect(upstream.primary.refusals.memory).toBeGreaterThan(0)
  expect(upstream.cacheSource.view().pending).toBe(0)
})

test('a server that is loading: it is asked again when it has loaded', async () => {
  let loading = false
  const server = await ScriptedServer.start(([name, sub]) => {
    if (name === 'CLIENT' && sub === 'TRACKINGINFO')
      return '%3\r\n+flags\r\n~2\r\n+on\r\n+bcast\r\n+redirect\r\n:0\r\n+prefixes\r\n*1\r\n$5\r\nacme:\r\n'
    if (name !== 'GET') return undefined
    if (!loading) return '$1\r\nx\r\n'
    loading = false
    return '-LOADING Redis is loading the dataset in memory\r\n'
  })
  started.push(server)
  const upstream = await upstreamAt(server.url)
  loading = true
  expect(await fetch(upstream, ['GET', 'acme:x'])).toEqual(typed('$1\r\nx\r\n'))
})

test('however many of a tenant are under way, all are answered, and so are those of others', async () => {
  const upstream = await upstreamAt(redis.url)
  const all = Array.from({ length: 10_010 }, () => fetch(upstream, ['GET', 'acme:x']))
  const other = fetch(upstream, ['GET', 'acme:x'], 2, 1)
  const replies = await Promise.all(all)
  expect(replies.filter(({ reply }) => reply === undefined)).toHaveLength(0)
  expect(await other).toEqual(typed('$-1\r\n'))
  expect(upstream.cacheSource.view()).toEqual({ pending: 0, refused: 0 })
})

test('a reload puts another upstream in its place: what is under way ends, and nothing new begins here', async () => {
  const server = await startRedis()
  started.push(server)
  const upstream = await upstreamAt(server.url)
  const successor = await upstreamAt(server.url)
  await server.kill('SIGSTOP')
  const fetched = fetch(upstream, ['GET', 'acme:x'])
  await new Promise((resolve) => setTimeout(resolve, 50))
  upstream.retire(successor)
  expect(await fetch(upstream, ['GET', 'acme:x'])).toEqual(NONE)
  await server.kill('SIGCONT')
  expect(await fetched).toEqual(typed('$-1\r\n'))
  expect(await eventually(() => upstream.primary.ended)).toBe(true)
})

test('whether the server lets keys go that nobody uses', async () => {
  const evicting = await startRedis({ config: ['maxmemory 100mb', 'maxmemory-policy allkeys-lfu'] })
  const full = await startRedis({ config: ['maxmemory 100mb'] })
  started.push(evicting, full)
  const upstreams = await Promise.all([evicting, full, redis].map(({ url }) => upstreamAt(url)))
  for (const { primary } of upstreams) {
    expect(await eventually(() => primary.probes.health.report !== undefined)).toBe(true)
  }
  expect(upstreams.map(({ cacheSource }) => cacheSource.evicts)).toEqual([true, false, false])
})
