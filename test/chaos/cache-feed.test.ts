import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import { freePort } from '../helpers/free-port.ts'
import { type ConfigObject, type Keyward, spawnKeyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The feed of invalidations fails in every way it can: then nothing is told from memory, soon enough, and it is again
 * when the feed is back. Each test proves both: what came from memory before reaches Redis now, request by request.
 */
const ROUNDS = { default: 1, long: 20, drill: 50 }[process.env.KEYWARD_TIER ?? 'default'] ?? 1
/** Milliseconds in which it must be noticed that the server tracks no more, though it says nothing. */
const OFF = 2000

let redis: RedisServer
let net: FeedProxy
let bare: RawClient
let keyward: Keyward | undefined
const clients: RawClient[] = []

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  net = await FeedProxy.start({ port: redis.port })
})

afterEach(async () => {
  net.release()
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults ?? 0).toBe(0)
  keyward = undefined
  bare.destroy()
  await net.stop()
  await redis.stop()
})

async function start(cache: ConfigObject = {}, upstream: ConfigObject = {}): Promise<RawClient> {
  keyward = await startKeyward(cachedConfig(net, { cache, upstream }))
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  await client.command('SET', 'k', 'before')
  return client
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** How many of so many GETs, one behind the other, reach the server. */
async function reaching(client: RawClient, count: number, key = 'k'): Promise<number> {
  const seen = await executed(bare, async () => {
    for (let i = 0; i < count; i++) await client.command('GET', key)
  })
  return seen.get ?? 0
}

/** Whether from some moment within `patience` on all reads reach the server: then the cache is off, not merely empty. */
function off(client: RawClient, patience: number): Promise<boolean> {
  return eventually(async () => (await reaching(client, 20)) === 20, patience)
}

/** What happens to the feed, and in which time the cache must be off. */
const FAILURES: readonly (readonly [string, number, () => void | Promise<void>])[] = [
  ['CLIENT TRACKING OFF behind Keyward’s back', OFF, () => net.inject('CLIENT', 'TRACKING', 'OFF')],
  [
    'CLIENT TRACKING ON of another kind',
    OFF,
    () => {
      net.inject('CLIENT', 'TRACKING', 'OFF')
      net.inject('CLIENT', 'TRACKING', 'ON')
    },
  ],
  ['CLIENT KILL', OFF, killFeeds],
  ['the connection is cut', OFF, () => net.cutFeeds()],
  ['nothing comes any more', OFF, () => stall('reply')],
  ['nothing goes any more', OFF, () => stall('request')],
  ['nothing comes and goes any more', OFF, () => stall('both')],
  ['it is later than the cache allows', OFF, () => void (net.feed.delay = 3 * MAX_STALENESS)],
]

function stall(direction: 'request' | 'reply' | 'both'): void {
  net.feed.stall = direction
}

/** Those that track, as CLIENT LIST has them: no lane is killed. */
async function feedIds(): Promise<string[]> {
  const list = await bare.command('CLIENT', 'LIST')
  return [...list.matchAll(/id=(\d+) .*? flags=\S*B/g)].map(([, id]) => id)
}

async function killFeeds(): Promise<void> {
  const ids = await feedIds()
  expect(ids.length).toBe(1)
  for (const id of ids) expect(await bare.command('CLIENT', 'KILL', 'ID', id)).toBe(':1\r\n')
}

describe.each(FAILURES)('%s', (_, within, fail) => {
  test('the cache is off in time, for as long as there is no feed, and back with it', {
    timeout: 120_000,
  }, async () => {
    const client = await start()
    expect(await hits(client, bare, 'k')).toBe(true)
    expect(await reaching(client, 100), 'before, reads come from memory').toBe(0)
    const { feeds } = net
    // Nor does a new feed help: it is cut before it tracks.
    net.refused = 'feeds'
    const at = performance.now()
    await fail()
    expect(await off(client, within), 'off').toBe(true)
    expect(performance.now() - at).toBeLessThan(within + 500)
    // It stays off, and reads are what they should be.
    for (let i = 0; i < 5; i++) {
      expect(await reaching(client, 50)).toBe(50)
      await bare.command('SET', 'acme:k', `meanwhile ${i}`)
      expect(await client.command('GET', 'k')).toContain(`meanwhile ${i}`)
      await sleep(100)
    }
    net.release()
    expect(await hits(client, bare, 'k', 30_000), 'on again').toBe(true)
    expect(await reaching(client, 100)).toBe(0)
    expect(net.feeds).toBeGreaterThanOrEqual(feeds)
    await bare.command('SET', 'acme:k', 'after')
    expect(await eventually(async () => (await client.command('GET', 'k')).includes('after'), MAX_STALENESS)).toBe(true)
  })

  test('a write at that moment is told in time, though the cache comes back', { timeout: 240_000 }, async () => {
    const client = await start()
    for (let round = 0; round < ROUNDS; round++) {
      expect(await hits(client, bare, 'k', 30_000)).toBe(true)
      await fail()
      await bare.command('SET', 'acme:k', `round ${round}`)
      const written = performance.now()
      let asked = written
      while (!(await client.command('GET', 'k')).includes(`round ${round}`)) {
        asked = performance.now()
        expect(asked - written, 'the old value was told').toBeLessThan(within)
      }
      // Never again.
      for (let i = 0; i < 200; i++) expect(await client.command('GET', 'k')).toContain(`round ${round}`)
      net.release()
      for (let i = 0; i < 200; i++) expect(await client.command('GET', 'k')).toContain(`round ${round}`)
    }
  })
})

test('a feed that is a little late: hits, and none older than the bound', async () => {
  const client = await start()
  net.feed.delay = 150
  expect(await hits(client, bare, 'k')).toBe(true)
  let longest = 0
  for (let i = 0; i < 20; i++) {
    // Before a write each time the value comes from memory.
    expect(await hits(client, bare, 'k')).toBe(true)
    await bare.command('SET', 'acme:k', `${i}`)
    const written = performance.now()
    let asked = written
    while (!(await client.command('GET', 'k')).includes(`\n${i}\r`)) asked = performance.now()
    longest = Math.max(longest, asked - written)
  }
  console.log(`feed 150 ms late: a value was told up to ${longest.toFixed(0)} ms after it was replaced`)
  expect(longest, 'the delay is seen').toBeGreaterThan(100)
  expect(longest).toBeLessThanOrEqual(MAX_STALENESS)
})

test('maxStaleness is what the file says', async () => {
  const client = await start({ maxStaleness: '3s' })
  net.feed.delay = 1500
  expect(await hits(client, bare, 'k', 30_000)).toBe(true)
  await bare.command('SET', 'acme:k', 'new')
  const written = performance.now()
  let asked = written
  while (!(await client.command('GET', 'k')).includes('new')) asked = performance.now()
  expect(asked - written).toBeGreaterThan(1000)
  expect(asked - written).toBeLessThanOrEqual(3000)
})

test('a server that hangs: nothing from memory behind the bound', { timeout: 60_000 }, async () => {
  const client = await start({}, { timeouts: { request: '1500ms' } })
  expect(await hits(client, bare, 'k')).toBe(true)
  await redis.kill('SIGSTOP')
  const at = performance.now()
  let asked = at
  for (let reply = '$6\r\nbefore\r\n'; reply === '$6\r\nbefore\r\n'; ) {
    asked = performance.now()
    reply = await client.command('GET', 'k')
  }
  expect(asked - at).toBeLessThanOrEqual(MAX_STALENESS + 100)
  await redis.kill('SIGCONT')
  expect(await eventually(async () => (await client.command('GET', 'k')) === '$6\r\nbefore\r\n')).toBe(true)
  expect(await hits(client, bare, 'k')).toBe(true)
})

test('staleWhileDown: what was there is told while the server is away, and no longer', {
  timeout: 120_000,
}, async () => {
  const port = await freePort()
  const server = await startRedis({ port })
  let direct = await RawClient.connect({ port })
  try {
    keyward = await startKeyward(
      cachedConfig(server, {
        cache: { staleWhileDown: '60s', rules: [{ ...ALL_KEYS, maxAge: '1s', negative: '1s' }] },
        upstream: { hold: { time: '300ms' }, timeouts: { request: '500ms', connect: '500ms' } },
      }),
    )
    const client = await keyward.connect({ password: 'acme' })
    clients.push(client)
    await client.command('MSET', 'k', 'v', 'written', 'old')
    expect(await hits(client, direct, 'k')).toBe(true)
    for (let i = 0; i < 3; i++) await client.command('GET', 'written')
    direct.destroy()
    await server.kill('SIGKILL')
    // As soon as it is known that the server is away.
    expect(await eventually(async () => (await client.command('GET', 'k')) === '$1\r\nv\r\n', 20_000)).toBe(true)
    const until = performance.now() + 3000
    let stale = 0
    while (performance.now() < until) {
      if ((await client.command('GET', 'k')) === '$1\r\nv\r\n') stale++
      await sleep(5)
    }
    expect(stale).toBeGreaterThan(50)
    // Not what was written meanwhile, as far as anybody knows.
    expect(await client.command('SET', 'written', 'new')).toMatch(/^-/)
    expect(await client.command('GET', 'written')).toMatch(/^-/)
    expect(await client.command('GET', 'never seen')).toMatch(/^-/)
    await server.restart()
    direct = await RawClient.connect({ port })
    expect(await eventually(async () => (await client.command('GET', 'k')) === '$-1\r\n', 30_000)).toBe(true)
    await direct.command('SET', 'acme:k', 'back')
    expect(await eventually(async () => (await client.command('GET', 'k')) === '$4\r\nback\r\n', MAX_STALENESS)).toBe(
      true,
    )
    expect(await hits(client, direct, 'k')).toBe(true)
  } finally {
    direct.destroy()
    await server.stop()
  }
})

test('without staleWhileDown nothing is told from memory when the server is away', { timeout: 60_000 }, async () => {
  const client = await start({}, { hold: { time: '300ms' }, timeouts: { request: '500ms', connect: '500ms' } })
  expect(await hits(client, bare, 'k')).toBe(true)
  net.refused = 'all'
  net.cut()
  expect(await eventually(async () => (await client.command('GET', 'k')).startsWith('-'))).toBe(true)
  for (let i = 0; i < 20; i++) expect(await client.command('GET', 'k')).toMatch(/^-/)
  net.release()
  expect(await hits(client, bare, 'k', 30_000)).toBe(true)
})

test.each([1500, 6000])(
  'Keyward is stopped for %i ms: what it is asked then is not answered from before',
  {
    timeout: 120_000,
  },
  async (pause) => {
    const dir = mkdtempSync(join(tmpdir(), 'keyward-cache-'))
    const file = join(dir, 'keyward.json')
    const port = await freePort()
    writeFileSync(file, JSON.stringify(cachedConfig(net, { top: { listeners: [{ address: `127.0.0.1:${port}` }] } })))
    const process = spawnKeyward(['serve', '--config', file])
    try {
      const enter = async () => {
        const client = await RawClient.connect({ port, timeout: 60_000 })
        clients.push(client)
        expect(await client.command('AUTH', 'acme')).toBe('+OK\r\n')
        return client
      }
      let first: RawClient | undefined
      await eventually(async () => {
        first = await enter().catch(() => undefined)
        return first !== undefined
      }, 30_000)
      const [client, other] = [first as RawClient, await enter()]
      for (const stalled of [false, true]) {
        await client.command('SET', 'k', 'old')
        expect(await hits(client, bare, 'k', 30_000)).toBe(true)
        // In the second round what the feed has to say is still on its way when Keyward wakes up.
        if (stalled) net.feed.stall = 'reply'
        process.child.kill('SIGSTOP')
        await bare.command('SET', 'acme:k', 'new')
        await sleep(pause)
        for (const one of [client, other]) one.send(request('GET', 'k'))
        await sleep(50)
        process.child.kill('SIGCONT')
        for (const one of [client, other]) expect(String(await one.reply())).toBe('$3\r\nnew\r\n')
        for (let i = 0; i < 50; i++) expect(await client.command('GET', 'k')).toBe('$3\r\nnew\r\n')
        net.release()
        expect(await hits(client, bare, 'k', 30_000)).toBe(true)
        expect(await client.command('GET', 'k')).toBe('$3\r\nnew\r\n')
      }
    } finally {
      await process.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
