import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { dial } from '../../src/upstream/dial.ts'
import { type LeaseHost, UpstreamLeases } from '../../src/upstream/lease-store.ts'
import type { Address, UpstreamOptions } from '../../src/upstream/options.ts'
import { configFor, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { TLS_FILES } from '../helpers/tls.ts'

let redis: RedisServer
const stores: UpstreamLeases[] = []

beforeAll(async () => {
  redis = await startRedis({ unix: true })
})

afterAll(() => redis.stop())

afterEach(async () => {
  for (const store of stores.splice(0)) store.stop()
  await redis.cli('FLUSHALL')
})

/** A primary that a test moves about. */
class Host implements LeaseHost {
  readonly name = 'main'
  /** Levels, texts and errors. */
  readonly said: string[] = []
  readonly log = {
    info: (_fields: object, text: string) => this.said.push(`info ${text}`),
    warn: ({ error }: { error?: string }, text: string) => this.said.push(`warn ${text} (${error})`),
  }
  readonly options: UpstreamOptions
  epoch = 1
  writesWait = false
  whereabouts: { address: Address | undefined }
  /** Sockets asked for. */
  dialled = 0

  constructor(address: Address | undefined, login: { user?: string; password?: string } = {}) {
    this.whereabouts = { address }
    this.options = { tls: undefined, keepAlive: 30_000, ...login } as UpstreamOptions
  }

  connect(): Socket | undefined {
    this.dialled++
    const { address } = this.whereabouts
    return address === undefined ? undefined : dial(address, this.options)
  }
}

function storeOn(server: RedisServer | Host): UpstreamLeases {
  const store = new UpstreamLeases(server instanceof Host ? server : hostOf(server))
  stores.push(store)
  return store
}

function hostOf(server: RedisServer, login?: { user?: string; password?: string }): Host {
  return new Host({ host: server.host, port: server.port }, login)
}

/** Tokens so slow to come that none do during a test. */
const NEVER = 1e-9

const ask = (want: number, back = 0, more: { key?: string; rate?: number; burst?: number; most?: number } = {}) => ({
  key: 'acme:all',
  rate: NEVER,
  burst: 100,
  want,
  back,
  most: more.burst ?? 100,
  ...more,
})

async function granted(store: UpstreamLeases, ...asks: readonly ReturnType<typeof ask>[]): Promise<number[]> {
  return (await store.lease(asks)).map((grant) => grant.granted)
}

/** Waits for a store to work again after a failure. */
async function recovers(store: UpstreamLeases): Promise<boolean> {
  return eventually(() =>
    store.lease([ask(0)]).then(
      () => true,
      () => false,
    ),
  )
}

test('a new bucket is full, and gives what it has', async () => {
  const store = storeOn(redis)
  expect(await store.lease([ask(30)])).toEqual([{ granted: 30, left: expect.closeTo(70, 3) }])
  expect(await granted(store, ask(80))).toEqual([70])
  expect(await granted(store, ask(1))).toEqual([0])
})

test('a bucket that was evicted is not full again for those who know better', async () => {
  const store = storeOn(redis)
  expect(await granted(store, ask(90))).toEqual([90])
  await redis.cli('DEL', 'keyward:limit:acme:all')
  expect(await granted(store, ask(100, 0, { most: 10.5 }))).toEqual([10])
})

test('what is given back can be had again, up to the burst', async () => {
  const store = storeOn(redis)
  expect(await granted(store, ask(100))).toEqual([100])
  expect(await granted(store, ask(0, 40))).toEqual([0])
  expect(await granted(store, ask(50))).toEqual([40])
  expect(await granted(store, ask(500, 500))).toEqual([100])
})

test('many buckets in one call, each with its own numbers, answered in order', async () => {
  const store = storeOn(redis)
  const asks = Array.from({ length: 500 }, (_, i) => ask(i, 0, { key: `acme:all:${i}`, burst: 1 + (i % 300) }))
  expect(await granted(store, ...asks)).toEqual(asks.map(({ want, burst }) => Math.min(want, burst)))
  expect(await redis.cli('DBSIZE')).toBe('500')
})

test('two processes on one bucket share it', async () => {
  const [one, two] = [storeOn(redis), storeOn(redis)]
  const grants = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => (await granted(i % 2 === 0 ? one : two, ask(7)))[0]),
  )
  expect(grants.reduce((sum, each) => sum + each, 0)).toBe(100)
})

test('tokens come with the time of the server, also fractions of one', async () => {
  const store = storeOn(redis)
  const now = async () => {
    const [seconds, micros] = (await redis.cli('TIME')).split('\n').map(Number)
    return seconds * 1000 + micros / 1000
  }
  const before = await now()
  await granted(store, ask(100))
  const between = await now()
  // A tenth of a token a millisecond: most of these calls find a fraction only, and it must not be lost.
  let sum = 0
  let asked = between
  let at = between
  while (at - between < 300) {
    asked = at
    sum += (await granted(store, ask(100, 0, { rate: 0.1 })))[0]
    at = await now()
  }
  expect(sum).toBeLessThanOrEqual(0.1 * (at - before))
  expect(sum).toBeGreaterThan(0.1 * (asked - between) - 2)
})

test('a clock that was set back stops no bucket, and gives nothing away', async () => {
  const store = storeOn(redis)
  const ahead = `${Date.now() + 3_600_000}000`
  await redis.cli('SET', 'keyward:limit:acme:all', `5.25 ${ahead}`)
  expect(await store.lease([ask(1)])).toEqual([{ granted: 1, left: 4.25 }])
  expect(await redis.cli('GET', 'keyward:limit:acme:all')).toMatch(/^4\.25 \d{16}$/)
  expect(await granted(store, ask(100, 0, { rate: 1e6 }))).toEqual([100])
})

test('a bucket is forgotten a second after it is full again', async () => {
  const store = storeOn(redis)
  // 50 tokens at 10 a second.
  await granted(store, ask(50, 0, { rate: 0.01 }))
  const left = Number(await redis.cli('PTTL', 'keyward:limit:acme:all'))
  expect(left).toBeGreaterThan(1000)
  expect(left).toBeLessThanOrEqual(6000)
  await granted(store, ask(0, 50, { key: 'acme:full', rate: 0.01 }))
  expect(await eventually(async () => (await redis.cli('EXISTS', 'keyward:limit:acme:full')) === '0')).toBe(true)
})

test('a key that is something else is a full bucket, and does not disturb the others', async () => {
  const store = storeOn(redis)
  await redis.cli('RPUSH', 'keyward:limit:acme:list', 'x')
  await redis.cli('SET', 'keyward:limit:acme:text', 'what is this')
  const asks = ['acme:list', 'acme:text', 'acme:all'].map((key) => ask(60, 0, { key }))
  expect(await granted(store, ...asks)).toEqual([60, 60, 60])
  expect(await granted(store, ...asks)).toEqual([40, 40, 40])
})

test('names are bytes', async () => {
  const store = storeOn(redis)
  await granted(store, ask(100, 0, { key: 'acme:r:\xff\x00 \r\n' }))
  expect(await granted(store, ask(1, 0, { key: 'acme:r:\xfe\x00 \r\n' }))).toEqual([1])
  // The name that somebody would get by decoding and encoding again.
  expect(await redis.cli('EXISTS', 'keyward:limit:acme:r:\xff')).toBe('0')
  expect(await redis.cli('--no-raw', 'KEYS', '*')).toContain(String.raw`"keyward:limit:acme:r:\xff\x00 \r\n"`)
})

test('SCRIPT FLUSH goes unnoticed', async () => {
  const store = storeOn(redis)
  expect(await granted(store, ask(10))).toEqual([10])
  await redis.cli('SCRIPT', 'FLUSH')
  expect(await granted(store, ask(10))).toEqual([10])
  expect(await redis.cli('GET', 'keyward:limit:acme:all')).toMatch(/^80\.0/)
})

test('the script travels once, then its digest', async () => {
  const store = storeOn(redis)
  await redis.cli('CONFIG', 'RESETSTAT')
  for (let i = 0; i < 5; i++) await granted(store, ask(1))
  const stats = await redis.info('commandstats')
  expect(stats.get('cmdstat_eval')).toMatch(/calls=1,/)
  expect(stats.get('cmdstat_evalsha')).toMatch(/calls=4,/)
})

test('nothing is opened before the first call, and one connection serves all', async () => {
  const host = hostOf(redis)
  const store = storeOn(host)
  expect(host.dialled).toBe(0)
  await Promise.all([granted(store, ask(1)), granted(store, ask(1)), granted(store, ask(1))])
  await granted(store, ask(1))
  expect(host.dialled).toBe(1)
})

test('a server that was started again is found again', async () => {
  const server = await startRedis()
  try {
    const store = storeOn(server)
    await granted(store, ask(100))
    await server.kill('SIGKILL')
    await expect(store.lease([ask(1)])).rejects.toThrow()
    await server.restart()
    expect(await recovers(store)).toBe(true)
    expect(await granted(store, ask(1))).toEqual([1])
  } finally {
    await server.stop()
  }
})

test('of a server that nobody reaches, calls fail at once, and few of them connect', async () => {
  const server = await startRedis()
  await server.stop()
  const host = hostOf(server)
  const store = storeOn(host)
  await expect(store.lease([ask(1)])).rejects.toThrow('ECONNREFUSED')
  const until = performance.now() + 500
  let calls = 0
  while (performance.now() < until) {
    await expect(store.lease([ask(1)])).rejects.toThrow('ECONNREFUSED')
    calls++
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(calls).toBeGreaterThan(host.dialled)
  // 25, 50, 100 and 200 ms are the shortest delays.
  expect(host.dialled).toBeLessThanOrEqual(6)
})

test('a server that is stopped fails the call after a second, and is not sent another one', async () => {
  const server = await startRedis()
  try {
    const store = storeOn(server)
    await granted(store, ask(10))
    await server.kill('SIGSTOP')
    const since = performance.now()
    await expect(store.lease([ask(10)])).rejects.toThrow('no reply within 1000 ms')
    expect(performance.now() - since).toBeGreaterThan(990)
    // These connect, perhaps, but nobody answers there.
    for (let i = 0; i < 3; i++) await expect(store.lease([ask(10)])).rejects.toThrow()
    await server.kill('SIGCONT')
    expect(await recovers(store)).toBe(true)
    // The first call of the four may have been executed late.
    expect([80, 90]).toContain(Math.floor(Number((await store.lease([ask(0)]))[0].left)))
  } finally {
    await server.stop()
  }
}, 30_000)

test('the words of the server come through, and a user that may use scripts later is served', async () => {
  const server = await startRedis()
  try {
    await server.cli('ACL', 'SETUSER', 'svc', 'on', '>secret', '~*', '+@all', '-@scripting')
    const host = hostOf(server, { user: 'svc', password: 'secret' })
    const store = storeOn(host)
    await expect(store.lease([ask(1)])).rejects.toThrow(/^NOPERM .*'eval/)
    await expect(store.lease([ask(1)])).rejects.toThrow(/^NOPERM .*'eval/)
    expect(host.dialled).toBe(1)
    await server.cli('ACL', 'SETUSER', 'svc', '+@scripting', 'resetkeys', '~acme:*')
    await expect(store.lease([ask(1)])).rejects.toThrow(/NOPERM|permissions|access/)
    await server.cli('ACL', 'SETUSER', 'svc', '~keyward:*', '-get')
    await expect(store.lease([ask(1)])).rejects.toThrow(/can't run this command|NOPERM/)
    await server.cli('ACL', 'SETUSER', 'svc', '+get')
    expect(await granted(store, ask(1))).toEqual([1])
    // Once each, and with the cure.
    expect(host.said).toEqual([
      expect.stringMatching(/^warn global rate limits .* ACL SETUSER .*~keyward:\* \(NOPERM .*'eval/),
      'info global rate limits get tokens again',
    ])
    await server.kill('SIGKILL')
    await expect(store.lease([ask(1)])).rejects.toThrow()
    expect(host.said).toHaveLength(2)
  } finally {
    await server.stop()
  }
})

test('the rights that the cure names are enough', async () => {
  const server = await startRedis()
  try {
    const rights = ['resetkeys', '~keyward:*', '-@all', '+eval', '+evalsha', '+get', '+set', '+time']
    await server.cli('ACL', 'SETUSER', 'svc', 'on', '>secret', ...rights)
    const store = storeOn(hostOf(server, { user: 'svc', password: 'secret' }))
    expect(await granted(store, ask(1))).toEqual([1])
    expect(await granted(store, ask(1))).toEqual([1])
  } finally {
    await server.stop()
  }
})

test('a wrong password is told in the words of the server', async () => {
  const server = await startRedis({ config: ['requirepass right'] })
  try {
    await expect(storeOn(hostOf(server, { password: 'wrong' })).lease([ask(1)])).rejects.toThrow('WRONGPASS')
    expect(await granted(storeOn(hostOf(server, { password: 'right' })), ask(1))).toEqual([1])
  } finally {
    await server.stop()
  }
})

test('calls follow the primary, and wait while it is not decided which server that is', async () => {
  const other = await startRedis()
  try {
    const host = hostOf(redis)
    const store = storeOn(host)
    await granted(store, ask(100))
    host.writesWait = true
    const waiting = granted(store, ask(100))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(host.dialled).toBe(1)
    host.whereabouts.address = { host: other.host, port: other.port }
    host.writesWait = false
    expect(await waiting).toEqual([100])
    expect(await other.cli('EXISTS', 'keyward:limit:acme:all')).toBe('1')
    // The same address, but another process behind it.
    host.epoch++
    await granted(store, ask(1))
    expect(host.dialled).toBe(3)
    host.writesWait = true
    await expect(store.lease([ask(1)])).rejects.toThrow('it is not decided which server is the primary')
  } finally {
    await other.stop()
  }
})

test('a replica refuses, and the next call looks where the name leads by then', async () => {
  const server = await startRedis()
  try {
    const host = hostOf(server)
    const store = storeOn(host)
    await granted(store, ask(1))
    await server.cli('REPLICAOF', redis.host, String(redis.port))
    await expect(store.lease([ask(1)])).rejects.toThrow('READONLY')
    await server.cli('REPLICAOF', 'NO', 'ONE')
    expect(await recovers(store)).toBe(true)
    expect(host.dialled).toBeGreaterThan(1)
  } finally {
    await server.stop()
  }
})

test('without a primary, and after stop(), calls fail', async () => {
  await expect(storeOn(new Host(undefined)).lease([ask(1)])).rejects.toThrow('no primary is known')
  const store = storeOn(redis)
  const call = store.lease([ask(1)])
  store.stop()
  await expect(call).rejects.toThrow('closed')
  await expect(store.lease([ask(1)])).rejects.toThrow('closed')
})

test('an upstream has a store, by its own socket, and stops it', async () => {
  const keyward = await startKeyward(configFor({ url: `unix:${redis.path}` }))
  try {
    const store = keyward.proxy.upstreams.get('main')?.leaseStore as UpstreamLeases
    expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
    expect(await granted(store, ask(60))).toEqual([60])
    expect(await granted(storeOn(redis), ask(60))).toEqual([40])
    keyward.stop()
    await expect(store.lease([ask(1)])).rejects.toThrow('closed')
  } finally {
    keyward.stop()
  }
})

test('over TLS, with a login', async () => {
  const { ca, cert, key } = TLS_FILES
  const server = await startRedis({ tls: { ca, cert, key }, config: ['requirepass secret'] })
  const keyward = await startKeyward(configFor(server, {}, { password: 'secret', tls: { ca } }))
  try {
    const store = keyward.proxy.upstreams.get('main')?.leaseStore as UpstreamLeases
    expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
    expect(await granted(store, ask(60))).toEqual([60])
    expect(await granted(store, ask(60))).toEqual([40])
  } finally {
    keyward.stop()
    await server.stop()
  }
})
