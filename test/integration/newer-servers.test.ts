import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import { FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { ALL_KEYS, hits } from '../helpers/cached.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/*
 * Commands that not every server has: known where the upstream has them, unknown where it has not, and under the same rules as
 * all others. (That they answer as a bare server does is in differential/newer.test.ts.)
 */

const table = buildTable()
/** Vector sets are a module that Redis brings along; those of Redis 8.0, which had no VRANGE, are not open. */
const VECTOR = /^v[a-z]+$/
const newer = table
  .all()
  .filter(({ open, presence, name }) => open === 'tenant' && (presence === 'newer' || VECTOR.test(name)))
const servers = await findServers({ log: console.log })
const recent = servers.filter(({ kind, version }) => Number.parseInt(version, 10) >= (kind === 'redis' ? 8 : 9))

let redis: RedisServer
let keyward: Keyward
let bare: RawClient

async function start(server: Server | undefined): Promise<void> {
  redis = await startRedis({ redis: server })
  const tenant = (name: string, more: object = {}) => ({
    upstream: 'main',
    users: { default: { password: name } },
    ...more,
  })
  keyward = await startKeyward(
    configFor(redis, {
      tenants: {
        acme: tenant('acme'),
        ttl: tenant('ttl', { ttl: [{ keys: 'k*', default: '1h', max: '2h' }] }),
        cached: tenant('cached', { cache: { rules: [ALL_KEYS] } }),
      },
    }),
  )
  bare = await RawClient.connect({ port: redis.port })
  const client = await keyward.connect({ password: 'acme' })
  expect(await eventually(async () => (await client.command('GET', 'x')).startsWith('$-1'))).toBe(true)
  client.destroy()
}

async function stop(): Promise<void> {
  bare?.destroy()
  keyward?.stop()
  await redis?.stop()
}

const words = (line: string) => line.split(' ')

describe('on a server that is older than they are', () => {
  const oldest = servers.find(({ kind, version }) => kind === 'redis' && version.startsWith('7.0'))

  beforeAll(() => start(oldest), 60_000)
  afterAll(stop)

  test.skipIf(oldest === undefined)('they are unknown commands, in its words', async () => {
    const client = await keyward.connect({ password: 'acme' })
    for (const line of [
      'HEXPIRE h 10 FIELDS 1 f',
      'MSETEX 1 k v',
      'DELIFEQ k v',
      'VADD v VALUES 1 1 e',
      'waitaof 0 0 0',
    ]) {
      // Nothing of a prefix in them.
      expect(await client.command(...words(line)), line).toBe(await bare.command(...words(line)))
      expect(await client.command(...words(line)), line).toMatch(/^-ERR unknown command/)
    }
    await client.command('MULTI')
    expect(await client.command('HTTL', 'h', 'FIELDS', '1', 'f')).toMatch(/^-ERR unknown command/)
    expect(await client.command('EXEC')).toMatch(/^-EXECABORT/)
    client.destroy()
  })

  test.skipIf(oldest === undefined)('COMMAND does not tell of them', async () => {
    const client = await keyward.connect({ password: 'acme' })
    const listed = await client.command('COMMAND', 'LIST')
    expect(newer.filter(({ name }) => listed.includes(`\r\n${name}\r\n`)).map(({ name }) => name)).toEqual([])
    expect(await client.command('COMMAND', 'INFO', 'hexpire')).toBe('*1\r\n$-1\r\n')
    client.destroy()
  })
})

/** One write for each, and what has to be before it for it to change something. */
const WRITES: Readonly<Record<string, readonly [given: readonly string[], write: string]>> = {
  delex: [['SET k 1'], 'DELEX k IFEQ 1'],
  delifeq: [['SET k 1'], 'DELIFEQ k 1'],
  hexpire: [['HSET k f 1'], 'HEXPIRE k 0 FIELDS 1 f'],
  hexpireat: [['HSET k f 1 g 2'], 'HEXPIREAT k 1 FIELDS 1 f'],
  hgetdel: [['HSET k f 1 g 2'], 'HGETDEL k FIELDS 1 f'],
  hgetex: [['HSET k f 1 g 2'], 'HGETEX k PXAT 1 FIELDS 1 f'],
  hpersist: [['HSET k f 1'], 'HPERSIST k FIELDS 1 f'],
  hpexpire: [['HSET k f 1 g 2'], 'HPEXPIRE k 0 FIELDS 1 f'],
  hpexpireat: [['HSET k f 1 g 2'], 'HPEXPIREAT k 1 FIELDS 1 f'],
  hsetex: [['HSET k f 1'], 'HSETEX k EX 1000 FIELDS 1 f 2'],
  msetex: [['SET k 1'], 'MSETEX 2 k 2 k2 3'],
  vadd: [['VADD k VALUES 2 1 1 a'], 'VADD k VALUES 2 1 0 e'],
  vrem: [['VADD k VALUES 2 1 0 e', 'VADD k VALUES 2 1 1 f'], 'VREM k e'],
  vsetattr: [['VADD k VALUES 2 1 0 e'], 'VSETATTR k e {}'],
  xackdel: [
    ['XADD k 1-1 f v', 'XADD k 2-1 f v', 'XGROUP CREATE k g 0', 'XREADGROUP GROUP g c COUNT 1 STREAMS k >'],
    'XACKDEL k g IDS 1 1-1',
  ],
  xcfgset: [['XADD k 1-1 f v'], 'XCFGSET k IDMP-MAXSIZE 5'],
  xdelex: [['XADD k 1-1 f v', 'XADD k 2-1 f v'], 'XDELEX k IDS 1 1-1'],
}

test('there is a write for every newer command that writes', () => {
  const names = newer.filter(({ flags }) => (flags & FLAG.WRITE) !== 0).map(({ name }) => name)
  expect(Object.keys(WRITES).sort()).toEqual(names.sort())
})

describe.skipIf(recent.length === 0).each(recent)('on $kind $version', (server: Server) => {
  let listed: string
  const has = (name: string) =>
    listed.includes(`\r\n${name}\r\n`) && !(VECTOR.test(name) && !listed.includes('\r\nvrange\r\n'))
  let offered: readonly (readonly [string, (typeof WRITES)[string]])[]

  beforeAll(async () => {
    await start(server)
    listed = (await bare.command('COMMAND', 'LIST')).toLowerCase()
    offered = Object.entries(WRITES).filter(([name]) => has(name))
  }, 60_000)
  afterAll(stop)

  test('HELLO says which server it is, as it does itself', async () => {
    const client = await keyward.connect({ password: 'acme' })
    const [own, its] = await Promise.all([client.command('HELLO', '2'), bare.command('HELLO', '2')])
    const named = (reply: string) => reply.split('\r\n').slice(1, 9)
    expect(named(own)).toEqual(named(its))
    expect(named(own)[3]).toBe(server.kind)
    client.destroy()
  })

  test('COMMAND tells of those that it has, and of no others', async () => {
    const client = await keyward.connect({ password: 'acme' })
    const own = await client.command('COMMAND', 'LIST')
    for (const { name, route } of newer) {
      if (route === 'local') continue
      expect([name, own.includes(`\r\n${name}\r\n`)]).toEqual([name, has(name)])
    }
    expect(await client.command('COMMAND', 'GETKEYS', 'HEXPIRE', 'h', '10', 'FIELDS', '1', 'f')).toBe(
      '*1\r\n$1\r\nh\r\n',
    )
    client.destroy()
  })

  // Redis 8.4 to 8.6 send two replies to some of these, and all that follow on the connection would be somebody else's.
  test('one reply to each SET with a digest that is none', async () => {
    const [one, other] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'ttl' })]
    await one.command('SET', 'k', 'of acme')
    await other.command('SET', 'other', 'of ttl')
    const digests = (await bare.command('COMMAND', 'LIST')).includes('\r\ndelex\r\n')
    const error = digests ? '-ERR must be exactly 16 hexadecimal characters\r\n' : '-ERR syntax error\r\n'
    for (const line of ['SET k v IFDEQ x GET', 'SET k v GET IFDNE x', 'SET k v KEEPTTL GET IFDEQ 0 XX']) {
      const reply = await one.command(...words(line))
      expect([line, reply]).toEqual([line, reply.includes('syntax') ? '-ERR syntax error\r\n' : error])
      expect(await one.command('ECHO', 'own')).toBe('$3\r\nown\r\n')
      expect(await one.command('GET', 'k')).toBe('$7\r\nof acme\r\n')
      expect(await other.command('GET', 'other')).toBe('$6\r\nof ttl\r\n')
      await one.command('MULTI')
      await one.command(...words(line))
      const exec = await one.command('EXEC')
      if (digests) expect([line, exec.slice(0, 10)]).toEqual([line, '-EXECABORT'])
      expect(await one.command('GET', 'k')).toBe('$7\r\nof acme\r\n')
    }
    one.destroy()
    other.destroy()
  })

  test('what they write obeys the rules on times to live', async () => {
    const client = await keyward.connect({ password: 'ttl' })
    for (const [name, [given, write]] of offered) {
      for (const inMulti of [false, true]) {
        await bare.command('FLUSHALL')
        // Past Keyward, so that what has an expiry has it from the write alone.
        for (const line of given) await bare.command(...prefixed(line, 'ttl:'))
        if (inMulti) await client.command('MULTI')
        const reply = await client.command(...words(write))
        const members = inMulti ? await client.command('EXEC') : ''
        expect(inMulti ? [reply, members.slice(0, 4)] : reply.slice(0, 1), write).not.toEqual('-')
        if (inMulti) expect(members, write).toMatch(/^\*1\r\n/)
        for (const key of ['k', 'k2']) {
          if ((await bare.command('EXISTS', `ttl:${key}`)) === ':0\r\n') continue
          const left = Number((await bare.command('PTTL', `ttl:${key}`)).slice(1))
          expect(left, `${name}, ${key}`).toBeGreaterThan(3_000_000)
          expect(left, `${name}, ${key}`).toBeLessThanOrEqual(3_600_000)
        }
      }
    }
    if (offered.some(([name]) => name === 'msetex')) {
      expect(await client.command('MSETEX', '2', 'other', 'v', 'k', 'v', 'EX', '999999')).toBe(':1\r\n')
      expect(Number((await bare.command('TTL', 'ttl:k')).slice(1))).toBeLessThanOrEqual(7200)
      expect(Number((await bare.command('TTL', 'ttl:other')).slice(1))).toBeLessThanOrEqual(7200)
    }
    client.destroy()
  })

  test('what they write is not served from the near cache any more', { timeout: 60_000 }, async () => {
    const client = await keyward.connect({ password: 'cached' })
    const other = await keyward.connect({ password: 'cached' })
    expect(await hits(client, bare)).toBe(true)
    const reads = ['GET', 'HGETALL', 'STRLEN', 'EXISTS', 'TYPE', 'XLEN', 'HLEN']
    for (const [name, [given, write]] of offered) {
      // Nobody could tell the cache when a field ends.
      const refused = /^(hp?expire(at)?|hgetex|hsetex)$/.test(name)
      await bare.command('FLUSHALL')
      for (const line of given) await bare.command(...prefixed(line, 'cached:'))
      const now = async (from: RawClient, key: string) => {
        const replies: string[] = []
        for (const read of reads) replies.push(await from.command(read, key))
        return replies.join('')
      }
      expect(await eventually(async () => (await now(client, 'k')) === (await now(bare, 'cached:k'))), name).toBe(true)
      const reply = await client.command(...words(write))
      expect([name, /^-ERR unknown command/.test(reply)]).toEqual([name, refused])
      expect(await now(client, 'k'), name).toBe(await now(bare, 'cached:k'))
      expect(await now(other, 'k'), name).toBe(await now(bare, 'cached:k'))
    }
    client.destroy()
    other.destroy()
  })

  test('whatever is said with them, nothing foreign is seen or touched', { timeout: 60_000 }, async () => {
    await bare.command('FLUSHALL')
    const foreign: string[] = []
    for (const [i, [, [given]]] of offered.entries()) {
      for (const line of given) await bare.command(...prefixed(line, `beta:${i}:`))
      foreign.push(`beta:${i}:k`)
    }
    const dumps = async () => {
      const all: string[] = []
      for (const key of foreign) all.push(await bare.command('DUMP', key), await bare.command('PTTL', key))
      return all.join()
    }
    const before = await dumps()
    const client = await keyward.connect({ password: 'acme' })
    const names = new Set(offered.map(([name]) => name))
    // Words that are foreign keys wherever a key, an option or a count could be.
    const pool = [
      ...foreign,
      '1',
      '2',
      'FIELDS',
      'IDS',
      'EX',
      'NX',
      'VALUES',
      'KEEPTTL',
      'IFEQ',
      '0',
      '-1',
      '1-1',
      'f',
      'g',
      'e',
    ]
    for (const { name, arity } of newer) {
      if (!names.has(name) && !has(name)) continue
      for (let round = 0; round < 60; round++) {
        const count = Math.abs(arity) + (round % 6)
        const args = Array.from({ length: count }, (_, i) => pool[(round * 7 + i * (round + 3) + i * i) % pool.length])
        const reply = await client.command(name, ...args)
        // No value, field or member of theirs, and no name but what was said.
        expect(reply, `${name} ${args.join(' ')}`).not.toMatch(/acme:/)
      }
    }
    expect(await dumps()).toBe(before)
    const keys = (await bare.command('KEYS', '*')).split('\r\n').filter((text) => /:/.test(text))
    expect(keys.filter((key) => !/^(acme|beta):/.test(key))).toEqual([])
    client.destroy()
  })
})

/** The keys k and k2, and what stands for one behind STREAMS, with the prefix in front. */
function prefixed(line: string, prefix: string): string[] {
  return words(line).map((word) => (/^k2?$/.test(word) ? `${prefix}${word}` : word))
}
