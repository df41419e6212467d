import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * SORT reads the keys that its patterns name. For a tenant these are its own: each request is answered as by a bare
 * server with the same data, byte by byte, though under every name that a pattern can come to, without the prefix and
 * with another one, lies a key of somebody else.
 */
type Words = readonly (string | Buffer)[]

let redis: RedisServer
let alone: RedisServer
let keyward: Keyward
let raw: RawClient
let bare: RawClient
const open: RawClient[] = []

/** Elements that try to leave the prefix, or to be a star or a field themselves. */
const ODD = ['*', '->', 'beta:1', '../1', '', 'a->f', '\r\n', '\xff', 'x*y', '#', 'nul\0x']

/** The tenant's data, and the bare server's. `v`: what others have in it differs. */
function data(prefix: string, v: string, order: readonly number[]): Words[] {
  const key = (name: string) => Buffer.from(prefix + name, 'latin1')
  const requests: Words[] = [
    ['RPUSH', key('ids'), '3', '1', '2', '10'],
    ['SADD', key('set'), '3', '1', '2'],
    ['ZADD', key('zset'), '1', '3', '2', '1', '3', '2'],
    ['RPUSH', key('words'), 'b', 'a', 'c'],
    ['RPUSH', key('odd'), ...ODD.map((each) => Buffer.from(each, 'latin1'))],
    ['SET', key('string'), v],
    ['SET', key('#'), `${v} of #`],
    ['SET', key('nosort'), `${v} of nosort`],
    ['SET', key('constant'), `${v} of constant`],
  ]
  for (const [i, id] of ['1', '2', '3', '10'].entries()) {
    requests.push(['SET', key(`w_${id}`), String(order[i])], ['SET', key(`o_${id}`), `${v} object ${id}`])
    requests.push(['SET', key(id), `${v} plain ${id}`], ['SET', key(`{${id}}:x`), `${v} tagged ${id}`])
    requests.push([
      'HSET',
      key(`h_${id}`),
      'w',
      String(order[i]),
      'f',
      `${v} field ${id}`,
      '',
      `${v} empty`,
      '->',
      `${v} ->`,
    ])
    requests.push(['HSET', key(`h_${id}->x`), 'f', `${v} arrow ${id}`])
  }
  for (const each of ODD) {
    requests.push(['SET', key(`odd_${each}`), `${v} odd ${Buffer.from(each, 'latin1').toString('hex')}`])
    requests.push(['SET', key(`pre${each}post`), `${v} between`])
  }
  return requests
}

const OWN = [4, 2, 3, 1]
const OTHERS = [1, 3, 2, 4]

beforeAll(async () => {
  ;[redis, alone] = await Promise.all([startRedis(), startRedis()])
  keyward = await startKeyward(configFor(redis))
  raw = await RawClient.connect({ port: redis.port })
  bare = await RawClient.connect({ port: alone.port })
  for (const prefix of ['', 'beta:', 'acme']) await tell(raw, data(prefix, 'foreign', OTHERS))
}, 60_000)

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
})

afterAll(async () => {
  raw?.destroy()
  bare?.destroy()
  keyward?.stop()
  await Promise.all([redis, alone].map((server) => server?.stop()))
})

async function tell(client: RawClient, requests: readonly Words[]): Promise<string[]> {
  const replies = await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)
  return replies.map((reply) => reply.toString('latin1'))
}

async function connect(protocol = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

/** Blanks between the words; \0 in a word is a NUL, _ an empty argument. */
const words = (line: string): Words =>
  line.split(' ').map((word) => (word === '_' ? '' : Buffer.from(word.replaceAll('\\0', '\0'), 'latin1')))

/** The same requests on both sides, with fresh data: the same replies, which are returned by line (of RESP2). */
async function same(lines: readonly string[], multi = false): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const protocol of [3, 2]) {
    const client = await connect(protocol)
    const twin = await RawClient.connect({ port: alone.port })
    open.push(twin)
    if (protocol === 3) await twin.command('HELLO', '3')
    await tell(twin, [['FLUSHALL'], ...data('', 'own', OWN)])
    await tell(client, [['FLUSHDB'], ...data('', 'own', OWN)])
    const requests = multi ? [['MULTI'], ...lines.map(words), ['EXEC']] : lines.map(words)
    const labels = multi ? ['MULTI', ...lines, 'EXEC'] : lines
    const [ours, theirs] = await Promise.all([tell(client, requests), tell(twin, requests)])
    const told = (replies: readonly string[]) => replies.map((reply, i) => `${labels[i]}: ${reply}`)
    expect(told(ours), `RESP${protocol}`).toEqual(told(theirs))
    expect(ours.join('')).not.toContain('foreign')
    for (const [i, reply] of ours.entries()) found.set(labels[i], reply)
  }
  return found
}

const READS = [
  'ids BY w_*',
  'ids by w_* DESC',
  'ids BY w_* GET o_*',
  'ids BY h_*->w GET h_*->f',
  'ids BY h_*->w GET # GET o_* GET h_*->f GET none_*',
  'ids GET #',
  'ids GET *',
  'ids GET # GET # LIMIT 1 2',
  'ids BY nosort',
  'ids BY nosort GET o_*',
  'ids BY nosort DESC LIMIT 0 2 GET #',
  'ids BY constant GET constant',
  'ids BY #',
  'ids BY w_* BY h_*->w',
  'ids BY * ALPHA',
  'ids BY o_* ALPHA DESC',
  'ids BY {*}:x ALPHA GET {*}:x',
  'ids GET h_*',
  'ids GET h_*->',
  'ids GET h_*->none',
  'ids GET h_*->->',
  'ids GET h_*->x->f',
  'ids GET _',
  'ids BY _',
  'ids GET nosort',
  'ids BY none_*',
  'ids BY none_* GET o_*',
  'ids BY w_* LIMIT 1 2 GET o_*',
  'ids BY w_* LIMIT 0 -1',
  'ids BY w_* LIMIT -5 100',
  'ids GET o_* LIMIT 2 1 GET #',
  'set BY w_*',
  'set BY w_* GET o_* DESC',
  'set BY nosort ALPHA LIMIT 0 100 BY w_*',
  'zset BY w_* GET #',
  'zset BY nosort GET o_*',
  'zset BY nosort DESC GET h_*->f',
  'words BY w_* ALPHA',
  'words GET o_* ALPHA',
  'odd BY nosort GET odd_*',
  'odd BY nosort GET pre*post',
  'odd BY odd_* ALPHA GET #',
  'odd ALPHA GET *',
  'odd BY nosort GET h_*->f',
  'none BY w_* GET o_*',
  // Words and patterns are C strings to the server.
  'ids BY\\0 w_*',
  'ids by\\0x w_* get\\0 o_*',
  'ids BY w_*\\0x',
  'ids BY nosort\\0*',
  'ids GET #\\0x',
  'ids GET #\\0*',
  'ids GET o_\\0*',
  'ids GET o_*\\0',
  'ids GET h_*->f\\0',
]

const WRONG = [
  'ids BY',
  'ids GET',
  'ids BY w_* GET',
  'ids BY h_*->f',
  'ids BY o_*',
  'ids LIMIT a b BY w_*',
  'ids LIMIT 0 BY w_*',
  'ids NEW BY w_*',
  'ids BY w_* NEW',
  'string BY w_*',
  'h_1 BY nosort GET #',
  'ids BYE w_*',
  'ids BY w_* 1',
]

const WRITES = [
  'SORT ids BY w_* GET o_* STORE dst',
  'LRANGE dst 0 -1',
  'SORT ids STORE ids BY w_* GET # GET o_*',
  'LRANGE ids 0 -1',
  'SORT set BY nosort STORE dst',
  'LRANGE dst 0 -1',
  'SORT none GET o_* STORE dst',
  'EXISTS dst',
  'SORT zset STORE\\0x dst GET h_*->f BY\\0 w_*',
  'LRANGE dst 0 -1',
  'SORT words STORE by BY nosort',
  'LRANGE by 0 -1',
  'SORT words ALPHA STORE dst STORE other STORE get',
  'EXISTS dst other get',
  'SORT words ALPHA STORE',
  'SORT_RO words ALPHA STORE dst',
  'SORT_RO words ALPHA GET o_* STORE dst',
]

describe('a tenant sorts as on a Redis of its own', () => {
  test('by patterns and with patterns, SORT and SORT_RO', async () => {
    const replies = await same(READS.flatMap((line) => [`SORT ${line}`, `SORT_RO ${line}`]))
    // By its own weights, not by those of others, and with its own objects.
    expect(replies.get('SORT ids BY w_*')).toBe('*4\r\n$2\r\n10\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n1\r\n')
    expect(replies.get('SORT ids BY w_* LIMIT 1 2 GET o_*')).toBe(
      '*2\r\n$12\r\nown object 2\r\n$12\r\nown object 3\r\n',
    )
  })

  test('wrong requests', async () => {
    for (const [line, reply] of await same(WRONG.flatMap((line) => [`SORT ${line}`, `SORT_RO ${line}`]))) {
      expect(reply, line).toMatch(/^-/)
    }
  })

  test('and stores what it found', async () => {
    await same(WRITES)
  })

  test('in MULTI', async () => {
    const replies = await same([...READS.map((line) => `SORT ${line}`), ...WRITES], true)
    expect(replies.get('EXEC')).toContain('own object 2')
  })

  test('in a database with a number', async () => {
    const many = await startKeyward(
      configFor(redis, {
        tenants: { five: { upstream: 'main', databases: 5, users: { default: { password: 'five' } } } },
      }),
    )
    const client = await many.connect({ password: 'five' })
    try {
      await tell(client, [...data('', 'foreign', OTHERS), ['SELECT', '3'], ...data('', 'own', OWN)])
      await tell(bare, [['FLUSHALL'], ...data('', 'own', OWN)])
      const requests = READS.map((line) => words(`SORT ${line}`))
      expect(await tell(client, requests)).toEqual(await tell(bare, requests))
    } finally {
      client.destroy()
      many.stop()
    }
  })
})

test('what others have under these names was neither read nor changed', async () => {
  const client = await connect()
  await tell(client, [['FLUSHDB'], ...data('', 'own', OWN), ...WRITES.map(words)])
  for (const prefix of ['', 'beta:', 'acme']) {
    const kept = '*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n$2\r\n10\r\n'
    expect(await raw.command('LRANGE', `${prefix}ids`, '0', '-1')).toBe(kept)
    expect(await raw.command('EXISTS', `${prefix}dst`, `${prefix}get`, `${prefix}by`)).toBe(':0\r\n')
  }
})

test('COMMAND GETKEYS names what the client wrote', async () => {
  const client = await connect()
  for (const line of [
    'SORT ids BY w_* GET o_* STORE dst',
    'SORT_RO ids BY w_*',
    'SORT ids STORE a STORE b',
    'MOVE k 3',
    'COPY a b DB 3 REPLACE',
    'RENAME a b',
    'OBJECT ENCODING acme:k',
    'XINFO STREAM s',
    'RESTORE k 0 payload',
    'SORT',
  ]) {
    for (const sub of ['GETKEYS', 'GETKEYSANDFLAGS']) {
      const words = ['COMMAND', sub, ...line.split(' ')]
      expect(await client.command(...words), line).toBe(await bare.command(...words))
    }
  }
})
