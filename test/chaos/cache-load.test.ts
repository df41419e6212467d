import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Random } from '../differential/random.ts'
import { cachedConfig, callsOf, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import { freePort } from '../helpers/free-port.ts'
import { type KeywardProcess, spawnKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { VersionLedger } from '../helpers/version-ledger.ts'

/**
 * The near cache under load: 8 writers, half of them through Keyward and half straight to Redis, and 32 readers. Values are
 * versions. No reader is told less than what was acknowledged through its process before it asked, so nothing older
 * than its own connection's last write; and nobody is told what had been replaced for longer than the bound.
 *
 * Keyward is a process of its own, as it is in the field.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const SECONDS = { default: 3, long: 60, drill: 60 }[TIER] ?? 3
const SEED = process.env.KEYWARD_SEED ?? String(Math.floor(Math.random() * 1e9))
const WRITERS = 8
const READERS = 32
/** Keys of each kind. */
const KEYS = 40
/** Reads between two writes, about: so that entries live for some of them, however slow the machine is. */
const READS_PER_WRITE = 12

let redis: RedisServer
let net: FeedProxy
let bare: RawClient
const processes: KeywardProcess[] = []
const clients: RawClient[] = []

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  net = await FeedProxy.start({ port: redis.port })
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const process of processes.splice(0)) await process.stop()
  bare.destroy()
  await net.stop()
  await redis.stop()
})

type Words = (string | number)[]

/** How versions are kept in a kind of key: what makes the next one, whose reply tells it, and what reads tell it. */
interface Kind {
  readonly write: (key: string, at: number) => Words
  readonly reads: readonly (readonly [(key: string) => Words, (reply: string) => number])[]
}

const NOTHING = /^(\$-1|_|\*0|%0|\*1\r\n(\$-1|_))\r\n$/
/** The number that a reply is, or that it ends with; 0 where there is nothing. */
const number = (reply: string) => (NOTHING.test(reply) ? 0 : Number(/^[^-].*?(\d+)\r\n$/s.exec(reply)?.[1]))

const KINDS: Readonly<Record<string, Kind>> = {
  text: {
    write: (key) => ['INCR', key],
    reads: [
      [(key) => ['GET', key], number],
      [(key) => ['GET', key], number],
      [(key) => ['MGET', key], number],
    ],
  },
  hash: {
    write: (key) => ['HINCRBY', key, 'f', 1],
    reads: [
      [(key) => ['HGET', key, 'f'], number],
      [(key) => ['HGETALL', key], number],
      [(key) => ['HMGET', key, 'f'], number],
    ],
  },
  list: { write: (key, at) => ['RPUSH', key, at], reads: [[(key) => ['LLEN', key], number]] },
  sorted: {
    write: (key) => ['ZINCRBY', key, 1, 'm'],
    reads: [
      [(key) => ['ZSCORE', key, 'm'], number],
      [(key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'], number],
    ],
  },
  appended: { write: (key) => ['APPEND', key, 'x'], reads: [[(key) => ['STRLEN', key], number]] },
}
const NAMES = Object.keys(KINDS)

interface Stage {
  readonly ledger: VersionLedger
  readonly bound: number
  readonly until: number
  /** Ports of the processes. */
  readonly ports: readonly number[]
  /** Connections are cut, so clients may be told that nobody knows what became of a request. */
  readonly lossy: boolean
}

const LOST = /^-(OUTCOMEUNKNOWN|EXECABORT) /

/** A key of some kind; some are asked for far more often than others. */
function someKey(random: Random): { kind: Kind; key: string } {
  const name = random.pick(NAMES)
  return { kind: KINDS[name], key: `${name}:${Math.floor(KEYS * random.next() ** 2)}` }
}

async function enter(port: number, protocol: 2 | 3): Promise<RawClient> {
  const client = await RawClient.connect({ port, timeout: 60_000 })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3, 'AUTH', 'default', 'acme')
  else expect(await client.command('AUTH', 'acme')).toBe('+OK\r\n')
  return client
}

/** A writer waits until the readers have read enough. */
async function turn({ ledger, until }: Stage): Promise<void> {
  const enough = ledger.reads + WRITERS * READS_PER_WRITE
  do await new Promise((resolve) => setTimeout(resolve, 2))
  while (ledger.reads < enough && performance.now() < until)
}

/** Writes past Keyward. */
async function writePast(stage: Stage, n: number): Promise<void> {
  const random = new Random(`${SEED} past ${n}`)
  const client = await RawClient.connect({ port: redis.port, timeout: 60_000 })
  clients.push(client)
  while (performance.now() < stage.until) {
    const { kind, key } = someKey(random)
    const written = number(await client.command(...kind.write(`acme:${key}`, n)))
    stage.ledger.written(key, written, undefined)
    await turn(stage)
  }
}

/** A client of a Keyward: `writes` is the share of its requests that write. */
async function work(stage: Stage, name: string, process: number, writes: number): Promise<void> {
  const random = new Random(`${SEED} ${name}`)
  const { ledger, bound } = stage
  const client = await enter(stage.ports[process], random.pick([2, 3] as const))
  const own = new Map<string, number>()
  const seen = new Map<string, number>()
  while (performance.now() < stage.until) {
    // One request, or a piece of some.
    const count = random.chance(0.85) ? 1 : 2 + random.below(6)
    const piece: { words: Words[]; key: string; read?: (reply: string) => number }[] = []
    for (let i = 0; i < count; i++) {
      const { kind, key } = someKey(random)
      if (random.chance(writes)) {
        const write = kind.write(key, i)
        if (random.chance(0.2)) piece.push({ words: [['MULTI'], write, ['EXEC']], key })
        else piece.push({ words: [write], key })
        if (random.chance(0.5)) continue
      }
      const [read, parse] = random.pick(kind.reads)
      piece.push({ words: [read(key)], key, read: parse })
    }
    const floors = piece.map(({ key }) => ledger.floor(key, process))
    const asked = performance.now()
    client.send(Buffer.concat(piece.flatMap(({ words }) => words.map((one) => request(...one)))))
    for (const [i, { words, key, read }] of piece.entries()) {
      const reply = String((await client.replies(words.length)).at(-1))
      if (stage.lossy && LOST.test(reply)) continue
      if (read === undefined) {
        const version = number(reply)
        ledger.written(key, version, process)
        own.set(key, Math.max(own.get(key) ?? 0, version))
        continue
      }
      const version = read(reply)
      ledger.told({ what: String(words[0]), key, version, asked, floor: floors[i], own: own.get(key) ?? 0, bound })
      if (version < (seen.get(key) ?? 0)) ledger.wentBack++
      else seen.set(key, version)
    }
    if (writes > 0.5) await turn(stage)
  }
}

async function startProcesses(count: number, url: string): Promise<number[]> {
  const ports: number[] = []
  for (let i = 0; i < count; i++) {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'keyward-cache-'))
    const file = join(folder, 'keyward.json')
    writeFileSync(
      file,
      JSON.stringify(cachedConfig({ url }, { top: { listeners: [{ address: `127.0.0.1:${port}` }] } })),
    )
    const process = spawnKeyward(['serve', '--config', file])
    processes.push(process)
    let client: RawClient | undefined
    const ready = async () => {
      client ??= await enter(port, 2).catch(() => undefined)
      return client !== undefined
    }
    expect(await eventually(ready, 30_000), process.output).toBe(true)
    rmSync(folder, { recursive: true, force: true })
    expect(await hits(client as RawClient, bare)).toBe(true)
    ports.push(port)
  }
  return ports
}

const READING = ['get', 'mget', 'hget', 'hgetall', 'hmget', 'llen', 'zscore', 'zrange', 'strlen']

async function reachedBy(): Promise<number> {
  const calls = await callsOf(bare)
  return READING.reduce((sum, name) => sum + (calls.get(name) ?? 0), 0)
}

/**
 * A run of `seconds`. `fault` is called over and over meanwhile and breaks and mends the feed. Resolves with the share of
 * reads that came from memory.
 */
async function run(
  title: string,
  options: {
    readonly seconds?: number
    readonly keywards?: number
    readonly bound?: number
    readonly url?: string
    readonly lossy?: boolean
  },
  fault?: (random: Random) => Promise<void>,
): Promise<{ ledger: VersionLedger; share: number }> {
  const { seconds = SECONDS, keywards = 1, bound = MAX_STALENESS, url = redis.url, lossy = false } = options
  const ports = await startProcesses(keywards, url)
  const before = await reachedBy()
  const stage: Stage = { ledger: new VersionLedger(), bound, until: performance.now() + seconds * 1000, ports, lossy }
  const { ledger } = stage
  const jobs: Promise<void>[] = []
  for (let i = 0; i < WRITERS; i++) {
    jobs.push(i % 2 === 0 ? writePast(stage, i) : work(stage, `writer ${i}`, (i >> 1) % keywards, 0.9))
  }
  // A quarter of the readers write, too, now and then.
  for (let i = 0; i < READERS; i++) jobs.push(work(stage, `reader ${i}`, i % keywards, i % 4 === 0 ? 0.02 : 0))
  const random = new Random(`${SEED} ${title}`)
  const disturb = async () => {
    while (fault !== undefined && performance.now() < stage.until - 500) await fault(random)
    net.release()
  }
  await Promise.all([...jobs, disturb()])
  const share = 1 - ((await reachedBy()) - before) / ledger.reads
  const { p99, max, share: stale } = ledger.staleness
  console.log(
    `${title}, seed ${SEED}: ${ledger.reads} reads, ${(100 * share).toFixed(1)} % from memory, ` +
      `${(100 * stale).toFixed(3)} % of them stale; staleness p99 ${p99.toFixed(1)} ms, maximum ${max.toFixed(1)} ms; ` +
      `${ledger.wentBack} told less than one before`,
  )
  expect(ledger.wrong).toEqual([])
  expect(ledger.reads).toBeGreaterThan(500 * seconds ** 0.5)
  return { ledger, share }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const LIMIT = { timeout: 60_000 + SECONDS * 4000 }

test('nothing fails', LIMIT, async () => {
  const { share } = await run('nothing fails', {})
  expect(share).toBeGreaterThan(0.4)
})

test('two processes: each tells its own writes at once, and the other one’s within the bound', LIMIT, async () => {
  const { share } = await run('two processes', { keywards: 2 })
  expect(share).toBeGreaterThan(0.3)
})

test('the feed is cut, again and again', LIMIT, async () => {
  const { share } = await run('feed cut', { url: net.url }, async (random) => {
    await sleep(500 + random.below(1000))
    if (random.chance(0.3)) net.refused = 'feeds'
    net.cutFeeds()
    await sleep(random.below(400))
    net.release()
  })
  expect(share).toBeGreaterThan(0.05)
})

test('the feed stalls, again and again', LIMIT, async () => {
  const { share } = await run('feed stalled', { url: net.url }, async (random) => {
    await sleep(300 + random.below(700))
    net.feed.stall = random.pick(['request', 'reply', 'both'] as const)
    await sleep(random.below(random.chance(0.2) ? 5000 : 2000))
    net.release()
  })
  expect(share).toBeGreaterThan(0.05)
})

test('the feed is late', LIMIT, async () => {
  const { share, ledger } = await run('feed 200 ms late', { url: net.url }, async () => {
    net.feed.delay = 200
    await sleep(100)
  })
  expect(share).toBeGreaterThan(0.1)
  // Else the ledger would notice nothing at all.
  expect(ledger.staleness.max).toBeGreaterThan(50)
})

test('the server stops tracking, and says nothing', LIMIT, async () => {
  // Noticed within 2 s, so for so long something old may be told.
  const { share } = await run('tracking off', { url: net.url, bound: 2000 }, async (random) => {
    await sleep(random.below(1500))
    net.inject('CLIENT', 'TRACKING', 'OFF')
    await sleep(500 + random.below(2000))
  })
  expect(share).toBeGreaterThan(0.05)
})

test('all connections are cut, again and again', LIMIT, async () => {
  const { share } = await run('all cut', { url: net.url, lossy: true }, async (random) => {
    await sleep(200 + random.below(1000))
    net.cut()
  })
  expect(share).toBeGreaterThan(0.05)
})
