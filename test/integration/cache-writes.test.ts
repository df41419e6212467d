import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { cachedConfig, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { WRITE_ROWS, type WriteRow } from '../helpers/write-rows.ts'

/**
 * Every write command, by whoever and however it is sent: reads of its keys, which were answered from memory a moment
 * before, tell what Redis would tell. Through Keyward that holds at once, for all clients of the process; past it, when the
 * invalidation has come.
 */
const COMPLETE = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

/** Reads of a key whose replies are all that can be told of it. */
const READS = [
  'TYPE',
  'EXISTS',
  'GET',
  'STRLEN',
  'LRANGE 0 -1',
  'LLEN',
  'SMEMBERS',
  'SCARD',
  'ZRANGE 0 -1 WITHSCORES',
  'ZCARD',
  'HGETALL',
  'HLEN',
  'XRANGE - +',
  'XLEN',
]

type Words = readonly (string | Buffer)[]

let redis: RedisServer
let keyward: Keyward
let bare: RawClient
let dump: Buffer
const clients: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  const config = cachedConfig(redis)
  // acme has databases, beta has none.
  Object.assign((config.tenants as { acme: object }).acme, { databases: 4 })
  keyward = await startKeyward(config)
  await bare.command('SET', 'dumped', 'restored')
  const [payload] = await bare.exchange(request('DUMP', 'dumped'))
  dump = payload.subarray(payload.indexOf('\n') + 1, -2)
})

afterAll(async () => {
  for (const client of [...clients, bare]) client?.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
  await redis?.stop()
})

/** A tenant, the protocol that its clients speak, and what is in front of its raw keys. */
interface Side {
  readonly tenant: 'acme' | 'beta'
  readonly protocol: 2 | 3
  readonly prefix: string
  one: RawClient
  other: RawClient
  bare: RawClient
}

async function open(tenant: 'acme' | 'beta', protocol: 2 | 3): Promise<Side> {
  const connect = async (keywards: boolean) => {
    const client = keywards
      ? await keyward.connect({ password: tenant })
      : await RawClient.connect({ port: redis.port })
    clients.push(client)
    if (protocol === 3) await client.command('HELLO', 3)
    return client
  }
  const side = { tenant, protocol, prefix: tenant === 'acme' ? 'acme:0:' : 'beta:' }
  const opened = { ...side, one: await connect(true), other: await connect(true), bare: await connect(false) }
  expect(await hits(opened.one, bare), 'the cache is in use').toBe(true)
  return opened
}

/** A line of a row as words: k and d are replaced by the keys, with what stands in front of them. */
function words(line: string, id: string, prefix = ''): Words {
  return line.split(' ').map((word, i) => {
    if (i > 0 && (word === 'k' || word === 'd')) return `${prefix}${id}:${word}`
    return word === '<dump>' ? dump : word
  })
}

const bytes = (requests: readonly Words[]) => Buffer.concat(requests.map((one) => request(...one)))
const replies = async (client: RawClient, requests: readonly Words[]) =>
  (await client.exchange(bytes(requests), requests.length)).map((frame) => frame.toString('latin1'))

function allReads(id: string, prefix = ''): Words[] {
  return ['k', 'd'].flatMap((key) =>
    READS.map((read) => {
      const [name, ...rest] = read.split(' ')
      return [name, `${prefix}${id}:${key}`, ...rest]
    }),
  )
}

/** How the write reaches Redis; resolves with what the reads tell behind it. */
const WAYS: Readonly<Record<string, (side: Side, write: Words, reads: readonly Words[]) => Promise<string[]>>> = {
  'before, on the same connection': async ({ one }, write, reads) => {
    await replies(one, [write])
    return replies(one, reads)
  },
  'in one piece with the reads': async ({ one }, write, reads) => (await replies(one, [write, ...reads])).slice(1),
  'on another connection': async ({ one, other }, write, reads) => {
    await replies(other, [write])
    return replies(one, reads)
  },
  'in MULTI on another connection': async ({ one, other }, write, reads) => {
    const [, queued, executed] = await replies(other, [['MULTI'], write, ['EXEC']])
    expect([queued, executed.slice(0, 2)]).toEqual(['+QUEUED\r\n', '*1'])
    return replies(one, reads)
  },
  'in MULTI, in one piece with the reads': async ({ one }, write, reads) =>
    (await replies(one, [['MULTI'], write, ['EXEC'], ...reads])).slice(3),
  'by one that wants no replies': async ({ other }, write, reads) => {
    const off = bytes([['CLIENT', 'REPLY', 'OFF'], write, ['CLIENT', 'REPLY', 'ON'], ...reads])
    const [on, ...rest] = await other.exchange(off, 1 + reads.length)
    expect(String(on)).toBe('+OK\r\n')
    return rest.map((frame) => frame.toString('latin1'))
  },
}

/** Not queued in MULTI. */
const JOBS = ['flushall', 'flushdb']

async function prepare(side: Side, row: WriteRow, id: string): Promise<{ reads: Words[]; told: string[] }> {
  const { one, prefix } = side
  for (const line of row.given)
    expect(await replies(bare, [words(line, id, prefix)])).not.toEqual([expect.stringMatching(/^-/)])
  const raw = allReads(id, prefix)
  const truth = await replies(side.bare, raw)
  // An error is never kept, so it would make what is behind it go to Redis.
  const wanted = (at: number) => !truth[at].startsWith('-')
  const reads = allReads(id).filter((_, at) => wanted(at))
  const told = truth.filter((_, at) => wanted(at))
  // Keys may be in memory as they were before the given commands, in a place where another key was.
  expect(await eventually(async () => same(await replies(one, reads), told), 3 * MAX_STALENESS)).toBe(true)
  // The invalidations of the given commands may still be on their way.
  const fromMemory = async () =>
    Object.keys(await executed(bare, async () => expect(await replies(one, reads)).toEqual(told))).length === 0
  expect(await eventually(fromMemory), `${id} is answered from memory`).toBe(true)
  return { reads, told }
}

const same = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((text, i) => text === b[i])

/** Runs a row; what the reads tell behind the write must be what they tell past Keyward. */
async function run(side: Side, name: string, way: string, row: WriteRow): Promise<void> {
  const id = `${name}:${way.replaceAll(' ', '-')}:${side.protocol}`
  const where = `${name} ${way}, RESP${side.protocol}`
  const { reads, told } = await prepare(side, row, id)
  const all = allReads(id)
  const got = await WAYS[way](side, words(row.write, id), all)
  const truth = await replies(side.bare, allReads(id, side.prefix))
  expect(got, where).toEqual(truth)
  const now = truth.filter((_, at) => reads.some((read) => same(read.map(String), all[at].map(String))))
  if (row.unseen === undefined) expect(now, `${where}: the row changes nothing`).not.toEqual(told)
  // Once more, from memory where that is possible.
  expect(await replies(side.one, all), where).toEqual(truth)
}

test('there is a row for every write command that is open for tenants', () => {
  const open = buildTable()
    .all()
    // Those of newer servers are in newer-servers.test.ts.
    .filter((spec) => spec.open === 'tenant' && spec.presence === 'always' && (spec.flags & FLAG.WRITE) !== 0)
    .map((spec) => spec.name)
  expect(Object.keys(WRITE_ROWS).sort()).toEqual(open.sort())
})

describe.each([
  ['acme', 3],
  ['beta', 2],
  ...(COMPLETE
    ? ([
        ['acme', 2],
        ['beta', 3],
      ] as const)
    : []),
] as const)('tenant %s, RESP%i', (tenant, protocol) => {
  test.each(Object.keys(WAYS))('a write %s', { timeout: 120_000 }, async (way) => {
    const side = await open(tenant, protocol)
    for (const [name, row] of Object.entries(WRITE_ROWS)) {
      if (row.databases === true && tenant !== 'acme') continue
      if (JOBS.includes(name) && way.includes('MULTI')) continue
      await run(side, name, way, row)
    }
  })

  test('a write past Keyward', { timeout: 180_000 }, async () => {
    const side = await open(tenant, protocol)
    for (const [name, row] of Object.entries(WRITE_ROWS)) {
      // To the server these are other databases than the tenant's.
      if (row.databases === true) continue
      const id = `${name}:past:${protocol}`
      await prepare(side, row, id)
      await replies(bare, [words(row.write, id, side.prefix)])
      const truth = await replies(side.bare, allReads(id, side.prefix))
      const caughtUp = async () => same(await replies(side.one, allReads(id)), truth)
      expect(await eventually(caughtUp, 3 * MAX_STALENESS), name).toBe(true)
    }
  })
})
