import { exists, getKeyIndexes } from '@ioredis/commands'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import type { CommandSpec } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { keyIndices } from '../helpers/arg-view.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * Where the keys of a request are: our table against COMMAND GETKEYS of every server that can be had here, and against
 * the list that ioredis uses.
 */
const table = buildTable()
/** Servers do not know Keyward's own, nor those of modules. */
const withKeys = table
  .all()
  .filter((spec) => spec.firstKey !== 0 && spec.extension === undefined && spec.presence !== 'module')
const fixed = withKeys.filter((spec) => spec.firstKey > 0)
const counted = withKeys.filter((spec) => spec.firstKey === -1)

/**
 * Requests of the commands whose keys are not at fixed positions. Keys are K1, K2 …; the words between them try to
 * look like options or counts.
 */
const COUNTED: Readonly<Record<string, readonly string[]>> = {
  blmpop: ['0 1 K1 LEFT', '1.5 2 K1 K2 RIGHT COUNT 3', '2 3 K1 K2 K3 LEFT COUNT 1', '0 2 K1 K2 left'],
  bzmpop: ['0 1 K1 MIN', '1.5 2 K1 K2 MAX COUNT 3', '2 3 K1 K2 K3 MIN COUNT 1', '0 2 K1 K2 max'],
  msetex: ['1 K1 v', '2 K1 v K2 v EX 10', '3 K1 v K2 NX K3 EX NX', '1 K1 KEEPTTL'],
  lmpop: ['1 K1 LEFT', '2 K1 K2 RIGHT COUNT 2', '3 K1 K2 K3 left', '1 K1 RIGHT COUNT 1'],
  zmpop: ['1 K1 MIN', '2 K1 K2 MAX COUNT 2', '3 K1 K2 K3 min', '1 K1 MAX COUNT 1'],
  sintercard: ['1 K1', '2 K1 K2', '3 K1 K2 K3 LIMIT 1', '2 K1 K2 limit 0'],
  zintercard: ['1 K1', '2 K1 K2', '3 K1 K2 K3 LIMIT 1', '2 K1 K2 limit 0'],
  zdiff: ['1 K1', '2 K1 K2', '3 K1 K2 K3 WITHSCORES'],
  zinter: ['1 K1', '2 K1 K2 WEIGHTS 1 2', '3 K1 K2 K3 AGGREGATE MAX WITHSCORES'],
  zunion: ['1 K1', '2 K1 K2 WEIGHTS 1 2', '3 K1 K2 K3 AGGREGATE MAX WITHSCORES'],
  zdiffstore: ['K1 1 K2', 'K1 2 K2 K3', 'K1 3 K2 K3 K4'],
  zinterstore: ['K1 1 K2', 'K1 2 K2 K3 WEIGHTS 1 2', 'K1 3 K2 K3 K4 AGGREGATE MIN'],
  zunionstore: ['K1 1 K2', 'K1 2 K2 K3 WEIGHTS 1 2', 'K1 3 K2 K3 K4 AGGREGATE MIN'],
  eval: ['script 0', 'script 0 a b', 'script 1 K1', 'script 2 K1 K2 a b'],
  eval_ro: ['script 0', 'script 1 K1', 'script 2 K1 K2 a b'],
  evalsha: ['sha 0', 'sha 1 K1', 'sha 2 K1 K2 a b'],
  evalsha_ro: ['sha 0', 'sha 1 K1', 'sha 2 K1 K2 a b'],
  fcall: ['function 0', 'function 1 K1', 'function 2 K1 K2 a b'],
  fcall_ro: ['function 0', 'function 1 K1', 'function 2 K1 K2 a b'],
  xread: [
    'STREAMS K1 0',
    'streams K1 K2 0 $',
    'COUNT 2 BLOCK 100 STREAMS K1 K2 K3 0 0 0',
    'BLOCK 0 COUNT 1 STREAMS K1 0',
    'COUNT STREAMS STREAMS K1 0',
  ],
  xreadgroup: [
    'GROUP g c STREAMS K1 >',
    'GROUP g c COUNT 1 STREAMS K1 K2 > >',
    'GROUP g c BLOCK 5 NOACK streams K1 K2 K3 > > >',
    'COUNT 1 GROUP g c STREAMS K1 >',
    'GROUP STREAMS c STREAMS K1 >',
    'COUNT 1 GROUP STREAMS c STREAMS K1 >',
  ],
  georadius: [
    'K1 1 2 3 km',
    'K1 1 2 3 km WITHDIST WITHCOORD WITHHASH COUNT 3 ANY ASC',
    'K1 1 2 3 km STORE K2',
    'K1 1 2 3 km COUNT 3 DESC storedist K2',
    'K1 1 2 3 km STORE K2 STORE K3',
    'K1 1 2 3 km STORE K2 STOREDIST K3',
  ],
  georadiusbymember: [
    'K1 m 3 km',
    'K1 m 3 km WITHDIST COUNT 3 ANY ASC',
    'K1 m 3 km STORE K2',
    'K1 STORE 3 km storedist K2',
    'K1 m 3 km STOREDIST K2 STOREDIST K3',
  ],
  sort: [
    'K1',
    'K1 LIMIT 0 5 DESC ALPHA',
    'K1 STORE K2',
    'K1 LIMIT 0 5 STORE K2 ASC',
    'K1 BY store STORE K2',
    'K1 STORE K2 STORE K3',
  ],
  sort_ro: ['K1', 'K1 LIMIT 0 5 DESC ALPHA', 'K1 ASC'],
  migrate: [
    'host 1 K1 0 10',
    'host 1 K1 0 10 COPY REPLACE AUTH secret',
    'host 1 _ 0 10 KEYS K1 K2',
    'host 1 _ 0 10 COPY AUTH2 user secret KEYS K1',
  ],
}

/**
 * Requests where another source says something else, with the reason; then the request is not compared with it. Ours
 * always names every K: the server that executes is the judge of what it takes for a key.
 */
const KNOWN: Readonly<Record<string, string>> = {
  'getkeys: xread COUNT STREAMS STREAMS K1 0': 'GETKEYS takes the first STREAMS that it sees, also as a value',
  'ioredis: xread COUNT STREAMS STREAMS K1 0': 'as GETKEYS',
  'getkeys: xreadgroup COUNT 1 GROUP STREAMS c STREAMS K1 >': 'as XREAD',
  'ioredis: xreadgroup COUNT 1 GROUP STREAMS c STREAMS K1 >': 'as XREAD',
  'getkeys: georadius K1 1 2 3 km STORE K2 STORE K3': 'GETKEYS names the last destination, we name all',
  'ioredis: georadius K1 1 2 3 km STORE K2 STORE K3': 'it names the first destination',
  'getkeys: georadius K1 1 2 3 km STORE K2 STOREDIST K3': 'GETKEYS of Valkey 9 names the last destination, we name all',
  'getkeys: georadiusbymember K1 m 3 km STOREDIST K2 STOREDIST K3': 'GETKEYS names the last destination, we name all',
  'ioredis: georadiusbymember K1 m 3 km STOREDIST K2 STOREDIST K3': 'it names the first destination',
  'getkeys: sort K1 STORE K2 STORE K3': 'GETKEYS names the last destination, we name all',
  'ioredis: sort K1 BY store STORE K2': 'it names the pattern of BY, too',
  'getkeys: pfmerge w0': 'GETKEYS wants a source, PFMERGE does not',
  'getkeys: pfmerge STREAMS': 'GETKEYS wants a source, PFMERGE does not',
  'getkeys: pfmerge 100': 'GETKEYS wants a source, PFMERGE does not',
}

const seen = new Set<string>()

interface Invocation {
  readonly spec: CommandSpec
  readonly words: readonly string[]
  readonly text: string
}

function invocation(spec: CommandSpec, rest: readonly string[]): Invocation {
  const name = spec.name.split('|')
  return {
    spec,
    words: [...name, ...rest.map((word) => (word === '_' ? '' : word))],
    text: [...name, ...rest].join(' '),
  }
}

/** Every word of a request is different, so that the values that GETKEYS returns tell the positions. */
function fixedInvocations(spec: CommandSpec): Invocation[] {
  const own = spec.name.split('|').length
  // A module takes any number of arguments, and sees by itself that there is none.
  const least = Math.max(Math.abs(spec.arity) - own, 1)
  const lengths = spec.arity > 0 ? [least] : [0, 1, 2, 3, 6].map((more) => least + more)
  const kinds = [
    (i: number) => `w${i}`,
    (i: number) => `${['STREAMS', 'STORE', 'KEYS', 'BY', 'GET', 'DB', 'LIMIT'][i % 7]}${i < 7 ? '' : i}`,
    (i: number) => String(100 + i),
  ]
  return lengths.flatMap((length) =>
    kinds.map((word) =>
      invocation(
        spec,
        Array.from({ length }, (_, i) => word(i)),
      ),
    ),
  )
}

function countedInvocations(spec: CommandSpec): Invocation[] {
  return (COUNTED[spec.name] ?? []).map((line) => invocation(spec, line.split(' ')))
}

const all = [...fixed.flatMap(fixedInvocations), ...counted.flatMap(countedInvocations)]

function ours({ spec, words }: Invocation): number[] {
  return keyIndices(spec, ...words)
}

/** Compares, unless a difference is known and is there. */
function compare(source: 'getkeys' | 'ioredis', each: Invocation, theirs: readonly number[] | string): void {
  const label = `${source}: ${each.text}`
  const mine = ours(each)
  if (KNOWN[label] !== undefined && mine.join() !== String(theirs)) seen.add(label)
  else expect(mine, label).toEqual(theirs)
}

describe('the requests', () => {
  test('every command with keys has several', () => {
    for (const spec of withKeys) {
      const count = all.filter((each) => each.spec === spec).length
      expect(count, spec.name).toBeGreaterThanOrEqual(3)
    }
    expect(Object.keys(COUNTED).sort()).toEqual(counted.map((spec) => spec.name))
  })

  test('what is marked as a key is what we find', () => {
    for (const each of counted.flatMap(countedInvocations)) {
      const marked = each.words.flatMap((word, i) => (/^K[0-9]$/.test(word) ? [i] : []))
      expect(ours(each), each.text).toEqual(marked)
    }
  })
})

const servers = (await findServers()).filter((server) => Number.parseInt(server.version, 10) >= 7)

describe.each(servers)('COMMAND GETKEYS of $kind $version', (server: Server) => {
  let redis: RedisServer
  let client: Redis

  beforeAll(async () => {
    redis = await startRedis({ redis: server })
    client = new Redis(redis.port)
  }, 60_000)

  afterAll(async () => {
    client?.disconnect()
    await redis?.stop()
  })

  test('agrees on every request', async () => {
    const replies = await Promise.all(all.map((each) => getKeys(client, each)))
    const known = all.map((each, i) => [each, replies[i]] as const).filter(([, theirs]) => theirs !== 'unknown')
    for (const [each, theirs] of known) compare('getkeys', each, theirs)
    // The newest of Redis and of Valkey are not the same.
    const everywhere = (spec: CommandSpec) => spec.presence === 'always'
    const least = all.filter(({ spec }) => everywhere(spec)).length
    expect(known.filter(([{ spec }]) => everywhere(spec)).length).toBeGreaterThan(least * 0.9)
  }, 60_000)
})

/** Positions, 'unknown' (no such command, or not with this number of arguments), or the error. */
async function getKeys(client: Redis, each: Invocation): Promise<number[] | string> {
  try {
    const keys = (await client.call('COMMAND', 'GETKEYS', ...each.words)) as string[]
    const own = each.spec.name.split('|').length
    return keys.map((key) => each.words.indexOf(key, own)).sort((a, b) => a - b)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (/has no key arguments/.test(error.message)) return []
    if (/Invalid command|Invalid number of arguments/.test(error.message)) return 'unknown'
    if (!error.message.startsWith('ERR ')) throw error
    return error.message
  }
}

describe('@ioredis/commands', () => {
  test('agrees on every request', () => {
    for (const each of all) {
      if (each.spec.presence === 'newer' && !exists(each.spec.name)) continue
      compare(
        'ioredis',
        each,
        getKeyIndexes(each.words[0], each.words.slice(1)).map((i) => i + 1),
      )
    }
  })
})

test('every known difference was met', () => {
  expect([...Object.keys(KNOWN)].filter((label) => !seen.has(label))).toEqual([])
})
