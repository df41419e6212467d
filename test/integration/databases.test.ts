import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A tenant's databases are as those of a server that has as many: every reply is compared with that of such a server,
 * byte by byte, and nothing is ever outside of the tenant's prefixes, in database 0 of the upstream.
 */
type Words = readonly (string | Buffer)[]

/** Bare servers with five databases and with one. */
let five: RedisServer
let one: RedisServer
/** Behind Keyward. */
let redis: RedisServer
let own: RedisServer
let keyward: Keyward
let raw: RawClient
const open: RawClient[] = []

beforeAll(async () => {
  ;[five, one, redis, own] = await Promise.all([
    startRedis({ config: ['databases 5'] }),
    startRedis({ config: ['databases 1'] }),
    startRedis(),
    startRedis(),
  ])
  raw = await RawClient.connect({ port: redis.port })
  const user = (password: string) => ({ users: { default: { password } } })
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url }, own: { url: own.url } },
      tenants: {
        five: { upstream: 'main', databases: 5, ...user('five') },
        plain: { upstream: 'main', ...user('plain') },
        other: { upstream: 'main', databases: 5, ...user('other') },
        alone: { upstream: 'own', prefix: '', ...user('alone') },
      },
    }),
  )
}, 60_000)

beforeEach(async () => {
  for (const server of [five, one, redis, own]) await server.cli('FLUSHALL')
  // What must not be touched: other tenants' keys, and other databases of the upstream.
  await tell(raw, FOREIGN)
})

const FOREIGN: Words[] = [
  ['MSET', 'other:0:str', 'o', 'other:1:str', 'o', 'str', 'o', '1:str', 'o', 'fives', 'o'],
  ['SELECT', '1'],
  ['MSET', 'five:0:str', 'o', 'five:1:str', 'o', 'str', 'o'],
  ['SELECT', '0'],
]

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
  const foreign = 'for _, k in ipairs(ARGV) do if redis.call("GET", k) ~= "o" then return k end end return "all there"'
  const check = ['EVAL', foreign, '0']
  expect(await raw.command(...check, 'other:0:str', 'other:1:str', 'str', '1:str', 'fives')).toBe(bulk('all there'))
  await raw.command('SELECT', '1')
  expect(await raw.command(...check, 'five:0:str', 'five:1:str', 'str')).toBe(bulk('all there'))
  expect(await raw.command('DBSIZE')).toBe(':3\r\n')
  await raw.command('SELECT', '0')
})

afterAll(async () => {
  raw?.destroy()
  keyward?.stop()
  await Promise.all([five, one, redis, own].map((server) => server?.stop()))
})

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`

function tell(client: RawClient, requests: readonly Words[]): Promise<string[]> {
  return client
    .exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)
    .then((replies) => replies.map((reply) => reply.toString('latin1')))
}

async function connect(tenant: string, protocol = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

async function bare(server: RedisServer, protocol = 2): Promise<RawClient> {
  const client = await RawClient.connect({ port: server.port })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

/** Blanks between the words; \0 in a word is a NUL, _ an empty argument. */
const words = (line: string): Words =>
  line.split(' ').map((word) => (word === '_' ? '' : Buffer.from(word.replaceAll('\\0', '\0'), 'latin1')))

/** The same requests to a tenant and to a bare server, in one pipeline and one by one: the same replies, which are returned. */
async function same(tenant: string, server: RedisServer, lines: readonly string[]): Promise<string[]> {
  let replies: string[] = []
  for (const protocol of [2, 3]) {
    for (const pipelined of [true, false]) {
      const clients = await Promise.all([connect(tenant, protocol), bare(server, protocol)])
      const batches = pipelined ? [lines.map(words)] : lines.map((line) => [words(line)])
      const [ours, theirs]: string[][] = [[], []]
      for (const batch of batches) {
        ours.push(...(await tell(clients[0], batch)))
        theirs.push(...(await tell(clients[1], batch)))
      }
      const told = (replies: readonly string[]) => replies.map((reply, i) => `${lines[i]}: ${reply}`)
      expect(told(ours), `RESP${protocol}`).toEqual(told(theirs))
      replies = protocol === 2 ? ours : replies
      await tell(clients[0], [['FLUSHALL']])
      await tell(clients[1], [['FLUSHALL']])
    }
  }
  return replies
}

const SELECTS =
  'SELECT 1|SET s 1|SELECT 4|GET s|SELECT 5|GET s|SELECT -1|SELECT x|SELECT 01|SELECT 2147483648|SELECT 1|GET s'
const FILL = 'SET str 1|RPUSH list a b|HSET hash f v|SELECT 1|SET str one|SELECT 0'
const MOVES =
  'MOVE list 1|MOVE list 1|MOVE str 1|MOVE str 0|MOVE str 5|MOVE str -1|MOVE str 2147483648|MOVE str x|MOVE str _|MOVE str 1\\0|MOVE none 2|MOVE none 99|MOVE none 0|MOVE str|MOVE str 1 2|SELECT 1|TYPE list|GET str|MOVE str 2|MOVE str 0|SELECT 2|GET str'
const COPIES =
  'COPY str new DB 3|COPY str new DB 3|COPY hash new DB 3 REPLACE|COPY str str|COPY str str DB 0|COPY str str DB 1|COPY str str REPLACE DB 1|COPY none x DB 1|COPY none x DB 99|COPY str x DB|COPY str x DB x|COPY str x DB 5 NEW|COPY str x NEW DB 5|COPY str x DB 1 DB 2|COPY str x db\\0y 4 replace\\0|COPY str x DB -1|COPY str x DB 2147483648|COPY str x DB 1 2|COPY str|SELECT 3|TYPE new|SELECT 2|GET x|SELECT 4|GET x'

describe('as on a server with as many databases', () => {
  test('SELECT', async () => {
    const replies = await same('five', five, SELECTS.split('|'))
    expect(replies.at(-1)).toBe(bulk('1'))
  })

  test('MOVE', async () => {
    const replies = await same('five', five, `${FILL}|${MOVES}`.split('|'))
    expect(replies.slice(6, 9)).toEqual([':1\r\n', ':0\r\n', ':0\r\n'])
  })

  test('COPY', async () => {
    const replies = await same('five', five, `${FILL}|${COPIES}`.split('|'))
    expect(replies.slice(6, 9)).toEqual([':1\r\n', ':0\r\n', ':1\r\n'])
  })

  test('inside MULTI, where errors stand in the array of EXEC', async () => {
    const inside = (lines: string) =>
      lines.split('|').filter((line) => !/^(MOVE str|MOVE str 1 2|COPY str)$/.test(line))
    for (const lines of [SELECTS, MOVES, COPIES]) {
      const all = [...FILL.split('|'), 'MULTI', ...inside(lines), 'EXEC', 'GET str', 'SELECT 1', 'GET str']
      const replies = await same('five', five, all)
      expect(replies[all.indexOf('EXEC')]).toMatch(/^\*\d+\r\n/)
    }
  })

  test('inside MULTI, a wrong number of arguments aborts it', async () => {
    const all = 'SET str 1|MULTI|MOVE str 1|MOVE str|EXEC|EXISTS str|MULTI|COPY str|COPY str x DB 3|EXEC|SELECT 3|GET x'
    const replies = await same('five', five, all.split('|'))
    expect(replies[4]).toMatch(/^-EXECABORT/)
  })

  test('where there is one database', async () => {
    const lines = `${FILL}|${SELECTS}|${MOVES}|${COPIES}`.split('|')
    for (const tenant of ['plain', 'alone']) await same(tenant, one, lines)
    expect(await own.cli('INFO', 'keyspace')).not.toMatch(/db[1-9]/)
  })

  test('whatever the key is called', async () => {
    const keys = ['*', '_', 'a\r\nb', '0:x', 'five:1:x', '\\', '[a]', '{x}', 'nul\\0x', '\xff\xfe']
    for (const key of keys) {
      await same('five', five, [
        `SET ${key} v`,
        `MOVE ${key} 2`,
        `EXISTS ${key}`,
        'SELECT 2',
        `COPY ${key} ${key} DB 4`,
      ])
      await same('five', five, [`SET ${key} v`, 'MULTI', `MOVE ${key} 3`, 'SELECT 3', `GET ${key}`, 'EXEC', 'DBSIZE'])
    }
  })
})

describe('MOVE', () => {
  test('keeps the time to live, and keys are where the tenant has its databases', async () => {
    const client = await connect('five')
    await tell(client, ['SET k v EX 1000', 'SET n v', 'MOVE k 3', 'MOVE n 4'].map(words))
    expect(await raw.command('TTL', 'five:3:k')).toMatch(/^:(1000|9\d\d)\r\n$/)
    expect(await raw.command('TTL', 'five:4:n')).toBe(':-1\r\n')
    expect(await raw.command('EXISTS', 'five:0:k', 'five:0:n')).toBe(':0\r\n')
  })

  test('wakes who waits for the key in the other database', async () => {
    const [waiting, mover] = [await connect('five'), await connect('five')]
    await tell(waiting, [['SELECT', '2']])
    waiting.send(request('BLPOP', 'q', '0'))
    expect(await eventually(() => places(keyward).pinsBlocked === 1)).toBe(true)
    expect(await tell(mover, ['RPUSH q a', 'MOVE q 2'].map(words))).toEqual([':1\r\n', ':1\r\n'])
    expect(String(await waiting.reply())).toBe(`*2\r\n${bulk('q')}${bulk('a')}`)
  })

  test('spoils the transaction of who watches the key, in either database', async () => {
    for (const db of ['0', '2']) {
      const [watching, mover] = [await connect('five'), await connect('five')]
      await tell(mover, ['SELECT 2', 'DEL k', 'SELECT 0', 'SET k v'].map(words))
      await tell(watching, [`SELECT ${db}`, 'WATCH k', 'MULTI', 'PING'].map(words))
      expect(await tell(mover, [words('MOVE k 2')])).toEqual([':1\r\n'])
      expect(await tell(watching, [['EXEC']])).toEqual(['*-1\r\n'])
    }
  })

  test('waits, as COPY and EXEC do, while another database of the tenant is being emptied', async () => {
    const { gates } = keyward.proxy
    const [mover, reader, foreign] = [await connect('five'), await connect('five'), await connect('other')]
    await tell(mover, ['MSET a 1 b 2', 'MULTI', 'SELECT 1', 'SET c 3'].map(words))
    const tenantIndex = keyward.proxy.indexOf({ name: 'five' } as Parameters<Keyward['proxy']['indexOf']>[0])
    const prefix = Buffer.from('five:1:')
    const gate = { why: 'flush', tenantIndex, prefix, writesOnly: false, owner: undefined, most: 1e6 } as const
    gates.close(gate, 60_000)
    const lines = ['EXEC', 'SELECT 0', 'MOVE a 1', 'COPY b b DB 1']
    mover.send(Buffer.concat(lines.map((line) => request(...words(line)))))
    expect(await eventually(() => places(keyward).barrier > 0)).toBe(true)
    // Database 0, and other tenants, go on.
    expect(await tell(reader, ['GET a', 'GET b', 'SET d 4'].map(words))).toEqual([bulk('1'), bulk('2'), '+OK\r\n'])
    expect(await tell(foreign, ['SELECT 1', 'GET str'].map(words))).toEqual(['+OK\r\n', bulk('o')])
    expect(mover.pending).toBe(0)
    gates.open(gate)
    expect((await mover.replies(4)).map(String)).toEqual(['*2\r\n+OK\r\n+OK\r\n', '+OK\r\n', ':1\r\n', ':1\r\n'])
    expect(await raw.command('MGET', 'five:1:a', 'five:1:b', 'five:1:c')).toBe(
      `*3\r\n${['1', '2', '3'].map(bulk).join('')}`,
    )
  })
})

describe('SELECT in MULTI', () => {
  test('holds for the members behind it, and for the session once EXEC has run', async () => {
    const all = 'MULTI|SET a 0|SELECT 3|SET a 3|GET a|SELECT 1|SET a 1|EXEC|GET a|SELECT 0|GET a|SELECT 3|GET a'
    const replies = await same('five', five, all.split('|'))
    expect(replies.slice(2, 4)).toEqual(['+QUEUED\r\n', '+QUEUED\r\n'])
    expect(replies[7]).toBe(`*6\r\n+OK\r\n+OK\r\n+OK\r\n${bulk('3')}+OK\r\n+OK\r\n`)
    expect(replies[8]).toBe(bulk('1'))
  })

  test.each([
    ['DISCARD', 'MULTI|SELECT 3|SET k 3|DISCARD|GET k|SET k again'],
    ['EXECABORT', 'MULTI|SELECT 3|SET k 3|NOSUCH|EXEC|GET k|SET k again'],
    ['EXECABORT by a wrong number of arguments', 'MULTI|SELECT 3|SELECT|SET k 3|EXEC|GET k|SET k again'],
    ['a second MULTI', 'MULTI|SELECT 3|DISCARD|MULTI|SET k 0|EXEC|GET k'],
  ])('leaves the session where it was after %s', async (_, lines) => {
    await same('five', five, lines.split('|'))
  })

  test('leaves the session where it was when a watched key was changed', async () => {
    const client = await connect('five')
    const other = await connect('five')
    await tell(client, ['SET k 0', 'WATCH k'].map(words))
    await tell(other, [words('SET k changed')])
    const replies = await tell(client, ['MULTI', 'SELECT 3', 'SET k 3', 'EXEC', 'GET k'].map(words))
    expect(replies).toEqual(['+OK\r\n', '+QUEUED\r\n', '+QUEUED\r\n', '*-1\r\n', bulk('changed')])
  })

  test('out of range is an error at its place, and changes nothing', async () => {
    const replies = await same(
      'five',
      five,
      'SELECT 2|MULTI|SET k 2|SELECT 5|SELECT x|SET l 2|EXEC|GET k|GET l'.split('|'),
    )
    expect(replies[6]).toBe(
      '*4\r\n+OK\r\n-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n+OK\r\n',
    )
  })

  test('keys that come back are those of the database that their member saw', async () => {
    const all =
      'RPUSH q 0|SELECT 3|RPUSH q 3|MULTI|LMPOP 1 q LEFT|SELECT 0|LMPOP 1 q LEFT|XREADGROUP GROUP g c STREAMS s >|EXEC|EXISTS q'
    const replies = await same('five', five, all.split('|'))
    expect(replies.at(-2)).not.toContain('five:')
  })
})

describe('FLUSHALL and FLUSHDB', () => {
  test('delete what is in the databases of the tenant, and nothing beside them', async () => {
    await tell(raw, [['MSET', 'five:str', 'o', 'five:5:str', 'o', 'five:00:str', 'o', 'five::str', 'o']])
    const client = await connect('five')
    await tell(client, ['SET a 0', 'SELECT 4', 'SET a 4', 'SELECT 1', 'SET a 1', 'FLUSHDB'].map(words))
    expect(await raw.command('EXISTS', 'five:0:a', 'five:1:a', 'five:4:a')).toBe(':2\r\n')
    expect(await client.command('FLUSHALL')).toBe('+OK\r\n')
    expect(await raw.command('EXISTS', 'five:0:a', 'five:1:a', 'five:4:a')).toBe(':0\r\n')
    expect(await raw.command('EXISTS', 'five:str', 'five:5:str', 'five:00:str', 'five::str')).toBe(':4\r\n')
  })

  test('behind WATCH in one pipeline spoil the transaction as they do on a Redis of one’s own', async () => {
    for (const flush of ['FLUSHDB', 'FLUSHALL', 'FLUSHDB ASYNC']) {
      const replies = await same('five', five, `SET k 1|WATCH k|${flush}|MULTI|SET k 2|EXEC|GET k`.split('|'))
      expect(replies[5]).toBe('*-1\r\n')
    }
    await same(
      'five',
      five,
      'SET k 1|WATCH k|DBSIZE|MULTI|SET k 2|EXEC|WATCH k|SET k 3|KEYS *|MULTI|PING|EXEC'.split('|'),
    )
  })
})

test('SWAPDB is refused, in MULTI and outside, and told why', async () => {
  const client = await connect('five')
  const unknown = "-ERR unknown command 'SWAPDB', with args beginning with: '0' '1' \r\n"
  expect(await tell(client, ['SWAPDB 0 1', 'MULTI', 'SWAPDB 0 1', 'EXEC'].map(words))).toEqual([
    unknown,
    '+OK\r\n',
    unknown,
    '-EXECABORT Transaction discarded because of previous errors.\r\n',
  ])
  const refusal = keyward.log.find(({ msg }) => /refused/.test(msg) && /swapdb/i.test(JSON.stringify(msg)))
  expect(JSON.stringify(refusal)).toContain('renamed one by one')
})

describe('INFO', () => {
  async function keyspace(client: RawClient): Promise<string> {
    const text = await client.command('INFO', 'keyspace')
    return text.slice(text.indexOf('# Keyspace')).replaceAll('\r\n', ' ').trim()
  }

  const scans = async () => Number(/cmdstat_scan:calls=(\d+)/.exec(await raw.command('INFO', 'commandstats'))?.[1] ?? 0)

  test('has the databases of the tenant by a count in the background, and scans for no question after it', async () => {
    const fresh = await startKeyward(
      configFor(redis, {
        tenants: {
          five: { upstream: 'main', databases: 5, users: { default: { password: 'five' } } },
          plain: { upstream: 'main', users: { default: { password: 'plain' } } },
        },
      }),
    )
    try {
      const client = await fresh.connect({ password: 'five' })
      await tell(client, ['MSET a 1 b 2', 'SELECT 3', 'SET a 1', 'EXPIRE a 1000'].map(words))
      expect(await client.command('INFO', 'server')).toContain('keyward_keyspace_age_seconds:-1\r\n')
      const counted = '# Keyspace db0:keys=2,expires=0,avg_ttl=0 db3:keys=1,expires=0,avg_ttl=0'
      expect(await eventually(async () => (await keyspace(client)) === counted)).toBe(true)
      expect(await client.command('INFO')).toMatch(/\r\nkeyward_keyspace_age_seconds:\d\d?\r\n/)
      const before = await scans()
      expect(before).toBeGreaterThan(0)
      for (let i = 0; i < 100; i++) expect(await keyspace(client)).toBe(counted)
      expect(await scans()).toBe(before)
      // DBSIZE counts anew, and INFO knows then, too.
      expect(await tell(client, ['SET b 2', 'DBSIZE'].map(words))).toEqual(['+OK\r\n', ':2\r\n'])
      expect(await keyspace(client)).toBe(counted.replace('db3:keys=1', 'db3:keys=2'))
      const plain = await fresh.connect({ password: 'plain' })
      expect(await keyspace(plain)).toBe('# Keyspace')
      client.destroy()
      plain.destroy()
    } finally {
      fresh.stop()
    }
  })

  test('of the tenant without a prefix asks the server for its size, and never walks', async () => {
    const client = await connect('alone')
    await tell(client, ['MSET a 1 b 2 c 3'].map(words))
    expect(await eventually(async () => (await keyspace(client)) === '# Keyspace db0:keys=3,expires=0,avg_ttl=0')).toBe(
      true,
    )
    expect(await own.cli('INFO', 'commandstats')).not.toMatch(/cmdstat_scan/)
  })
})
