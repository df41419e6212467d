import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandSpec, KeyList } from '../../src/commands/spec.ts'
import { findKeys } from '../../src/commands/keys.ts'
import { buildTable } from '../../src/commands/table.ts'
import { decodeReply } from '../../src/resp/reply-decoder.ts'
import { ERROR } from '../../src/resp/type-bytes.ts'
import type { Reply } from '../../src/resp/types.ts'
import { argsOf } from '../helpers/arg-view.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The table's promise, against a real server: a request whose keys got the prefix where the table says neither sees
 * nor changes anything without the prefix. Random requests, most of them half valid and full of words that look like
 * options, run in two databases that hold the same keys of the tenant. One holds keys of others, too: every word
 * that a request may contain is the name of such a key. The replies must be the same in both, the others' keys must
 * be untouched, and no key in a reply may still have its prefix.
 */
/** Of each protocol. */
const MILLISECONDS = { default: 4_000, long: 60_000, drill: 600_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 4_000
const PREFIX = 'p:'

/** Their replies depend on the clock or on chance; their keys are at fixed positions. */
const UNSTEADY = /^(spop|.*randmember|hrandfield|.*expire.*|.*setex|getex|.*ttl|xinfo.*|xpending|x(auto)?claim|dump|object.*|.*wait.*|multi|exec|discard|.*watch)$/

const table = buildTable()
const steady = table
  .all()
  .filter((spec) => spec.open === 'tenant' && spec.firstKey !== 0 && !UNSTEADY.test(spec.name) && !spec.name.includes('|'))
/** Those whose options or counts decide where keys are. */
const vague = steady.filter((spec) => spec.firstKey === -1 || spec.quirk.refuses !== undefined)

const NAMES = ['str', 'lst', 'hsh', 'set', 'zst', 'stm', 'geo', 'other']
/** What the patterns w_* and o_* come to, with the elements of the lists and sets below. */
const PATTERN_NAMES = ['w_1', 'w_3', 'w_7', 'o_1', 'o_3', 'o_7']
const OPTIONS =
  'STREAMS STORE STOREDIST BY GET DB REPLACE KEYS GROUP COUNT BLOCK NOACK LIMIT ASC DESC ALPHA ANY WITHDIST WITHSCORES WEIGHTS AGGREGATE LEFT RIGHT MIN MAX'.split(
    ' ',
  )
const ALL_OPTIONS = OPTIONS.flatMap((option) => [option, option.toLowerCase(), `${option}\0`, `${option}\0x`])
const NUMBERS = ['0', '1', '2', '3', '5', '-1', '01', '+2', '1.5', '0-0', '1-1', '>', '$', '(1', '+', '-', 'km', '10000']
const ODD = ['', '#', '*', 'w_*', 'o_*', 'nosort', 'p:str']
const TYPES = ['string', 'list', 'hash', 'set', 'zset', 'stream', 'zset'] as const

const name = fc.constantFrom(...NAMES)
const small = fc.constantFrom('1', '2', '3')
const option = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...OPTIONS) }, fc.constantFrom(...ALL_OPTIONS))
const word = fc.oneof(
  { weight: 5, arbitrary: name },
  { weight: 4, arbitrary: option },
  { weight: 4, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.constantFrom(...ODD, ...PATTERN_NAMES) },
)
const several = fc.array(name, { minLength: 1, maxLength: 3 })
const random = fc.array(word, { maxLength: 8 })

/** `words` with the options of a command, spoilt now and then: in another case, cut by a NUL, or another word. */
const said = (...words: fc.Arbitrary<string>[]) => fc.tuple(...words).map((tuple) => [...tuple])
const the = (text: string) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(text) }, fc.constantFrom(text.toLowerCase(), `${text}\0`, `${text}\0x`), word)

function right(first: fc.Arbitrary<string[]>, ...phrases: fc.Arbitrary<string[]>[]): fc.Arbitrary<string[]> {
  const rest = fc.array(fc.oneof(...phrases, fc.constant([])), { maxLength: 5 })
  return fc.tuple(first, rest).map(([start, more]) => [...start, ...more.flat()])
}

const streams = several.chain((keys) =>
  fc.tuple(the('STREAMS'), fc.constantFrom('0', '>', '5-5')).map(([start, id]) => [start, ...keys, ...keys.map(() => id)]),
)
const geo = [said(the('STORE'), word), said(the('STOREDIST'), word), said(the('COUNT'), small), said(the('ASC')), said(the('WITHDIST'))]
const sort = [
  said(the('STORE'), word),
  said(the('LIMIT'), small, small),
  said(the('ALPHA')),
  said(the('DESC')),
  said(the('BY'), fc.constantFrom('w_*', 'o_*', 'nosort')),
  said(the('GET'), fc.constantFrom('w_*', 'o_*', '#')),
]
const counted = several.map((keys) => [String(keys.length), ...keys])
const tail = [said(the('WITHSCORES')), said(the('LIMIT'), small), said(the('COUNT'), small)]
const group = said(the('GROUP'), fc.constantFrom('str', 'nobody', 'STREAMS'), word)

/** Requests that are mostly right, by command; what comes after the name. */
const RIGHT: Readonly<Record<string, fc.Arbitrary<string[]>>> = {
  xread: fc.tuple(right(fc.constant([]), said(the('COUNT'), word), said(the('BLOCK'), small)), streams).map((all) => all.flat()),
  xreadgroup: fc
    .tuple(right(fc.constant([]), said(the('COUNT'), small), said(the('NOACK')), group), group, streams)
    .map((all) => all.flat()),
  georadius: right(said(name, small, small, fc.constant('10000'), fc.constant('km')), ...geo),
  georadiusbymember: right(said(name, fc.constant('m'), fc.constant('10000'), fc.constant('km')), ...geo),
  sort: right(said(name), ...sort),
  sort_ro: right(said(name), ...sort),
  copy: right(said(name, name), said(the('REPLACE')), said(the('DB'), fc.constantFrom('0', '1', '2'))),
  lmpop: fc.tuple(counted, said(the('LEFT'))).map((all) => all.flat()),
  zmpop: fc.tuple(counted, said(the('MIN'))).map((all) => all.flat()),
  blmpop: fc.tuple(counted, said(the('LEFT'))).map(([keys, side]) => ['1', ...keys, ...side]),
  bzmpop: fc.tuple(counted, said(the('MIN'))).map(([keys, side]) => ['1', ...keys, ...side]),
  zunionstore: right(fc.tuple(name, counted).map((all) => all.flat())),
  zinterstore: right(fc.tuple(name, counted).map((all) => all.flat())),
  zdiffstore: right(fc.tuple(name, counted).map((all) => all.flat())),
}

/** The words of a request: any command with any words, but mostly those that matter in a form that is mostly right. */
const anyRequest = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...vague).chain((spec) => named(spec, RIGHT[spec.name] ?? right(counted, ...tail))) },
  { weight: 1, arbitrary: fc.constantFrom(...vague).chain((spec) => named(spec, random)) },
  { weight: 2, arbitrary: fc.constantFrom(...steady).chain((spec) => named(spec, spec.arity > 0 ? exactly(spec.arity - 1) : random)) },
)

function named(spec: CommandSpec, rest: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> {
  return rest.map((words) => [spec.name, ...words])
}

function exactly(length: number): fc.Arbitrary<string[]> {
  return fc.array(word, { minLength: length, maxLength: length })
}

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

test.each([2, 3])('nothing without the prefix is seen or changed, in RESP%i', async (protocol) => {
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
}, MILLISECONDS + 60_000)

/** The request as it would go upstream; undefined: it would not. */
function upstream(words: readonly string[]): { spec: CommandSpec; words: Buffer[] } | undefined {
  const spec = table.byName(words[0]) as CommandSpec
  const args = argsOf(...words)
  if (spec.arity > 0 ? words.length !== spec.arity : words.length < -spec.arity) return undefined
  if (spec.quirk.refuses?.(args) !== undefined) return undefined
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
