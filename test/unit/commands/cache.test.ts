import { beforeEach, describe, expect, test } from 'vitest'
import { type CommandSpec, FLAG } from '../../../src/commands/spec.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../../helpers/local-client.ts'

const table = buildTable()
const spec = (name: string) => table.byName(name) as CommandSpec

let server: FakeServer
let client: LocalClient

const clientOf = (more: Parameters<typeof tenant>[1]) =>
  new LocalClient(server, authenticator({}, { tenant: tenant('acme', more), user: 'default' }))

beforeEach(() => {
  server = new FakeServer()
  client = clientOf({ extensions: new Set(['cache'] as const) })
})

/** The reply to CACHE.STATS as names and numbers. */
function stats(start: string): [string, number][] {
  const reply = client.ask('CACHE.STATS')
  expect(reply.startsWith(start)).toBe(true)
  return [...reply.matchAll(/\$\d+\r\n([a-z_]+)\r\n:(-?\d+)\r\n/g)].map(([, name, value]) => [name, Number(value)])
}

describe('CACHE.STATS', () => {
  const shown: readonly [string, number][] = [
    ['hits', 1],
    ['stale_served', 2],
    ['misses', 3],
    ['crowded', 15],
    ['coalesced', 4],
    ['stored', 5],
    ['rejected', 6],
    ['skipped', 16],
    ['invalidations', 7],
    ['evictions', 8],
    ['expired', 9],
    ['entries', 10],
    ['bytes', 11],
    ['memory', 12],
    ['behind_ms', 14],
  ]
  beforeEach(() => {
    server.cache = {
      hits: 1,
      staleServed: 2,
      misses: 3,
      crowded: 15,
      coalesced: 4,
      stored: 5,
      rejected: 6,
      skipped: 16,
      invalidations: 7,
      evictions: 8,
      expired: 9,
      entries: 10,
      bytes: 11,
      memory: 12,
      behind: 13.2,
    }
  })

  test('names and integers in turn, in RESP3 a map', () => {
    expect(stats(`*${2 * shown.length}\r\n`)).toEqual(shown)
    client.session.protocol = 3
    expect(stats(`%${shown.length}\r\n`)).toEqual(shown)
  })

  test('says -1 where nothing is heard of writes, as there is no cache', () => {
    server.cache = { ...server.cache, behind: undefined }
    expect(new Map(stats('*')).get('behind_ms')).toBe(-1)
  })

  test('takes no argument', () => {
    expect(client.ask('cache.stats', 'x')).toBe("-ERR wrong number of arguments for 'cache.stats' command\r\n")
  })
})

describe('CACHE.FLUSH', () => {
  test('answers how many went', () => {
    expect(client.ask('CACHE.FLUSH')).toBe(':1\r\n')
    expect(client.ask('cache.flush', 'match', 'a*\r\n\xff')).toBe(':2\r\n')
    expect(server.flushed).toEqual([
      { tenant: 'acme', pattern: undefined },
      { tenant: 'acme', pattern: Buffer.from('a*\r\n\xff', 'latin1') },
    ])
  })

  test('says what is wrong, and flushes nothing', () => {
    for (const words of [['MATCH'], ['x'], ['a', 'b'], ['MATCH', 'a', 'b'], ['MATCHES', 'a']]) {
      expect(client.ask('CACHE.FLUSH', ...words)).toBe('-ERR syntax error\r\n')
    }
    expect(client.ask('CACHE.FLUSH', 'MATCH', 'a'.repeat(1025))).toBe('-ERR pattern is longer than 1024 bytes\r\n')
    expect(server.flushed).toEqual([])
    expect(client.ask('CACHE.FLUSH', 'MATCH', 'a'.repeat(1024))).toBe(':1\r\n')
  })
})

describe('COMMAND', () => {
  test('says what they are: no keys, and no reads or writes of any', () => {
    for (const name of ['cache.stats', 'cache.flush']) {
      expect(spec(name)).toMatchObject({ route: 'local', open: 'extension', extension: 'cache', firstKey: 0 })
      expect(spec(name).flags & (FLAG.READONLY | FLAG.WRITE | FLAG.BLOCKING)).toBe(0)
    }
    expect(spec('cache.stats').categories).toEqual(['fast', 'keyspace'])
    expect(spec('cache.flush').categories).toEqual(['keyspace', 'slow'])
  })

  test('lists them where they are', () => {
    const listed = () => client.ask('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'cache.*')
    expect(listed()).toBe('*2\r\n$11\r\ncache.flush\r\n$11\r\ncache.stats\r\n')
    client = clientOf({ extensions: new Set(['throttle'] as const) })
    expect(listed()).toBe('*0\r\n')
  })

  test('GETKEYS finds none', () => {
    const none = '-ERR The command has no key arguments\r\n'
    expect(client.ask('COMMAND', 'GETKEYS', 'CACHE.FLUSH', 'MATCH', 'a')).toBe(none)
    expect(client.ask('COMMAND', 'GETKEYSANDFLAGS', 'cache.stats')).toBe(none)
    client = clientOf({})
    expect(client.run('COMMAND', 'GETKEYS', 'CACHE.FLUSH')).toEqual(
      ['COMMAND', 'GETKEYS', 'keyward-none'].map(Buffer.from),
    )
  })
})
