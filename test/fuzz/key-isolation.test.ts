import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findKeys } from '../../src/commands/keys.ts'
import { type CommandSpec, KeyList } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { decodeReply } from '../../src/resp/reply-decoder.ts'
import { ERROR } from '../../src/resp/type-bytes.ts'
import type { Reply } from '../../src/resp/types.ts'
import { argsOf } from '../helpers/arg-view.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../helpers/local-client.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { ALL_OPTIONS, anyRequest, NAMES, NUMBERS, ODD, PATTERN_NAMES } from './key-requests.ts'

/**
 * The table's promise, against a real server: a request whose keys got the prefix where the table says neither sees
 * nor changes anything without the prefix. Random requests, most of them half valid and full of words that look like
 * options, run in two databases that hold the same keys of the tenant. One holds keys of others, too: every word
 * that a request may contain is the name of such a key. The replies must be the same in both, the others' keys must
 * be untouched, and no key in a reply may still have its prefix.
 */
/** Of each protocol. */
const MILLISECONDS = { default: 4_000, long: 60_000, drill: 180_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 4_000
const PREFIX = 'p:'

const ONE_DATABASE = { tenant: tenant('p', { prefix: PREFIX }), user: 'default' }

const table = buildTable()
const TYPES = ['string', 'list', 'hash', 'set', 'zset', 'stream', 'zset'] as const

let redis: RedisServer
/** Database 0 has the keys of others, 1 has not. */
let shared: RawClient
let alone: RawClient

beforeAll(async () => {
  redis = await startRedis()
  shared = await RawClient.connect({ port: redis.port })
  alone = await RawClient.connect({ port: redis.port })
  await alone.command('SELECT', '1')
  await fill(shared, '', 1)
}, 60_000)

afterAll(async () => {
  shared?.destroy()
  alone?.destroy()
  await redis?.stop()
})

test.each([2, 3])(
  'nothing without the prefix is seen or changed, in RESP%i',
  async (protocol) => {
    await shared.command('HELLO', protocol)
    await alone.command('HELLO', protocol)
    const first = Date.now() % 0x7fffffff
    const deadline = Date.now() + MILLISECONDS
    let tried = 0
    let accepted = 0
    console.log(`key isolation: seeds from ${first}, ${MILLISECONDS} ms`)
    const before = await others()
    const isolated = fc.asyncProperty(fc.array(anyRequest, { minLength: 1, maxLength: 60 }), async (requests) => {
      await renew(shared)
      await renew(alone)
      const sent = requests.map(upstream).filter((each) => each !== undefined)
      const bytes = Buffer.concat(sent.map(({ words }) => transaction(words)))
      const [ours, theirs] = await Promise.all([shared, alone].map((client) => client.exchange(bytes, sent.length * 3)))
      sent.forEach(({ spec, words }, i) => {
        const what = words.join(' ')
        expect(ours.slice(3 * i, 3 * i + 3).map(String), what).toEqual(theirs.slice(3 * i, 3 * i + 3).map(String))
        const { items = [] } = decode(ours[3 * i + 2])
        tried++
        if (items.length > 0 && items[0].type !== ERROR) accepted++
        for (const item of items) expectStripped(spec, item, what)
      })
      expect(await others()).toEqual(before)
      expect(await names(alone, '')).toEqual([])
      expect(await databases()).toEqual(['db0', 'db1'])
    })
    // Rounds with seeds of their own: fast-check's own time limit would leave a run behind that is still talking.
    for (let seed = first; Date.now() < deadline; seed++) await fc.assert(isolated, { seed, numRuns: 50 })
    console.log(`${tried} requests, ${accepted} of them executed without an error`)
    expect(accepted).toBeGreaterThan(tried / 20)
  },
  MILLISECONDS + 60_000,
)

/** The request as it would go upstream; undefined: it would not. */
function upstream(words: readonly string[]): { spec: CommandSpec; words: Buffer[] } | undefined {
  const spec = table.byName(words[0]) as CommandSpec
  const args = argsOf(...words)
  if (spec.arity > 0 ? words.length !== spec.arity : words.length < -spec.arity) return undefined
  if (spec.quirk.refuses?.(args) !== undefined) return undefined
  if (spec.quirk.forward !== undefined) {
    // Answered here, or other words.
    const sent = new LocalClient(new FakeServer(), authenticator({}, ONE_DATABASE)).run(...words)
    return typeof sent === 'string' ? undefined : { spec, words: [...sent] }
  }
  const out = new KeyList()
  findKeys(spec, args, out)
  const keys = new Set(out.at.subarray(0, out.count))
  return { spec, words: words.map((each, i) => Buffer.from(keys.has(i) ? PREFIX + each : each, 'latin1')) }
}

/** In a transaction nothing blocks. */
function transaction(words: readonly Buffer[]): Buffer {
  return Buffer.concat([request('MULTI'), request(...words), request('EXEC')])
}

/** The tenant's keys as they were at first. */
async function renew(client: RawClient): Promise<void> {
  const old = await names(client, PREFIX)
  if (old.length > 0) await send(client, ['DEL', ...old])
  await fill(client, PREFIX, 0)
}

/** Keys with the prefix, or, for '', those without. */
async function names(client: RawClient, prefix: string): Promise<string[]> {
  const all = (await send(client, ['KEYS', '*'])).map(String).sort()
  return all.filter((key) => key.startsWith(PREFIX) === (prefix === PREFIX))
}

function expectStripped(spec: CommandSpec, reply: Reply, what: string): void {
  if (reply.type === ERROR) {
    const text = reply.text as Buffer
    const at = spec.quirk.errorKey?.(text, Buffer.from(PREFIX)) ?? -1
    const rest = at === -1 ? String(text) : String(text.subarray(0, at)) + String(text.subarray(at + PREFIX.length))
    expect(rest, what).not.toContain(PREFIX)
    return
  }
  spec.quirk.reply?.(reply, (key) => {
    expect(String(key.text), what).toMatch(/^p:/)
    key.text = key.text?.subarray(PREFIX.length)
  })
  // A word of the vocabulary has the prefix itself: the tenant's key "p:str" is "p:p:str".
  expect(JSON.stringify(texts(reply)).replaceAll('"p:str"', ''), what).not.toContain(PREFIX)
}

function texts({ items, text }: Reply): unknown {
  return items === undefined ? String(text) : items.map(texts)
}

/** A key for each name, of all types in turn, with other values where `salt` differs. */
async function fill(client: RawClient, prefix: string, salt: number): Promise<void> {
  const value = `v${salt}`
  const own = prefix === PREFIX
  const others = [...NAMES, ...ALL_OPTIONS, ...NUMBERS, ...ODD.filter((each) => !each.startsWith(PREFIX))]
  const requests: Buffer[] = PATTERN_NAMES.map((each) => request('SET', prefix + each, own ? '1' : value))
  ;(own ? NAMES : others).forEach((each, i) => {
    const key = Buffer.from(prefix + each, 'latin1')
    const type = TYPES[i % TYPES.length]
    if (type === 'string') requests.push(request('SET', key, value))
    else if (type === 'list') requests.push(request('RPUSH', key, '3', '1', ...(own ? [] : [value])))
    else if (type === 'hash') requests.push(request('HSET', key, 'f', value))
    else if (type === 'set') requests.push(request('SADD', key, '7', ...(own ? [] : [value])))
    else if (type === 'stream') {
      requests.push(request('XADD', key, '5-5', 'f', value), request('XGROUP', 'CREATE', key, 'str', '0'))
    } else requests.push(request('GEOADD', key, '1', '2', value, '1', '2', 'm'))
  })
  for (const reply of await client.exchange(Buffer.concat(requests), requests.length)) {
    if (reply[0] === ERROR) throw new Error(String(reply))
  }
}

/** The keys of others in database 0, with digests of their values. */
async function others(): Promise<string[]> {
  const keys = await names(shared, '')
  const digests = await send(shared, ['DEBUG', 'DIGEST-VALUE', ...keys])
  return keys.map((key, i) => `${key} ${digests[i]}`)
}

/** Databases that hold a key. */
async function databases(): Promise<string[]> {
  return [...(await shared.command('INFO', 'keyspace')).matchAll(/^db[0-9]+/gm)].map(String)
}

async function send(client: RawClient, words: readonly string[]): Promise<unknown[]> {
  const [bytes] = await client.exchange(request(...words.map((each) => Buffer.from(each, 'latin1'))))
  return (decode(bytes).items ?? []).map((item) => item.text?.toString('latin1'))
}

function decode(bytes: Buffer): Reply {
  return decodeReply(bytes, 0, bytes.length)
}
