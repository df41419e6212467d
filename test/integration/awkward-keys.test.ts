import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * Keys of any bytes, where the server says them again: in errors, in replies, beside options that name keys. Each reply
 * is compared with that of a bare server. The errors are all that Redis 7.0.15 has a key in, by the texts in its program.
 */
type Words = readonly (string | Buffer)[]

const KEYS = [
  'k',
  '',
  '*',
  'a?b[c]\\d^e',
  'a b',
  'a\r\nb',
  '\r\n',
  'nul\0x',
  '\0',
  '\xff\xfe\x80',
  "'",
  "x' or consumer group 'y",
  "No such key 'five:3:x'",
  'five:3:k',
  '3:k',
  'acme:k',
  'STREAMS',
  'BY',
  'x'.repeat(3000),
].map((key) => Buffer.from(key, 'latin1'))

const GROUPS = ['g', '', "' for key name '", 'a\r\nb', 'nul\0x'].map((group) => Buffer.from(group, 'latin1'))

let redis: RedisServer
let server: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  ;[redis, server] = await Promise.all([startRedis(), startRedis()])
  const users = (password: string) => ({ default: { password } })
  keyward = await startKeyward(
    configFor(redis, {
      tenants: {
        acme: { upstream: 'main', users: users('acme') },
        five: { upstream: 'main', databases: 5, users: users('five') },
      },
    }),
  )
}, 60_000)

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
  await Promise.all([redis, server].map((one) => one.cli('FLUSHALL')))
})

afterAll(async () => {
  keyward?.stop()
  await Promise.all([redis, server].map((one) => one?.stop()))
})

async function tell(client: RawClient, requests: readonly Words[]): Promise<string[]> {
  const replies = await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)
  return replies.map((reply) => reply.toString('latin1'))
}

/** The same requests to two tenants, one of them in database 3, and to a bare server; returns the replies in RESP2. */
async function same(requests: readonly Words[]): Promise<string[]> {
  let found: string[] = []
  for (const protocol of [3, 2]) {
    const bare = await RawClient.connect({ port: server.port })
    const tenants = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'five' })]
    open.push(bare, ...tenants)
    if (protocol === 3) for (const client of [bare, ...tenants]) await client.command('HELLO', '3')
    for (const client of [bare, tenants[1]]) await tell(client, [['SELECT', '3'], ['FLUSHDB']])
    await tell(tenants[0], [['FLUSHDB']])
    found = await tell(bare, requests)
    const labels = requests.map((words) => words.map((word) => JSON.stringify(word.toString('latin1'))).join(' '))
    const told = (replies: readonly string[]) => replies.map((reply, i) => `${labels[i]}: ${JSON.stringify(reply)}`)
    for (const tenant of tenants) expect(told(await tell(tenant, requests)), `RESP${protocol}`).toEqual(told(found))
  }
  return found
}

const inMulti = (requests: readonly Words[]): Words[] => [['MULTI'], ...requests, ['EXEC']]

describe('errors', () => {
  const nogroup = (key: Buffer, group: Buffer): Words[] => [
    ['XREADGROUP', 'GROUP', group, 'c', 'STREAMS', key, '>'],
    ['XREADGROUP', 'GROUP', group, 'c', 'BLOCK', '5', 'STREAMS', 'other', key, '>', '>'],
    ['XPENDING', key, group],
    ['XPENDING', key, group, '-', '+', '10', 'c'],
    ['XCLAIM', key, group, 'c', '0', '1-1'],
    ['XAUTOCLAIM', key, group, 'c', '0', '0'],
    ['XINFO', 'CONSUMERS', key, group],
    ['XGROUP', 'SETID', key, group, '$'],
    ['XGROUP', 'CREATECONSUMER', key, group, 'c'],
    ['XGROUP', 'DELCONSUMER', key, group, 'c'],
    ['XGROUP', 'DESTROY', key, group],
    ['XACK', key, group, '1-1'],
  ]

  test.each(['is not there', 'has no such group'])('NOGROUP where the key %s', async (which) => {
    const groups = (key: Buffer) => GROUPS.flatMap((group) => nogroup(key, group))
    const create = (key: Buffer): Words[] => (which === 'is not there' ? [] : [['XADD', key, '1-1', 'f', 'v']])
    const requests = KEYS.flatMap((key) => [...create(key), ...groups(key)])
    const replies = await same(requests)
    expect(replies.filter((reply) => reply.startsWith('-NOGROUP')).length).toBeGreaterThan(KEYS.length * 15)
    await same(inMulti(requests))
  })

  test('of the wrong type, and of a key that is not there', async () => {
    const requests = KEYS.flatMap((key): Words[] => [
      ['SET', key, 'v'],
      ['XINFO', 'STREAM', key],
      ['XADD', key, '*', 'f', 'v'],
      ['XREAD', 'STREAMS', key, '0'],
      ['LPUSH', key, 'v'],
      ['RESTORE', key, '0', 'bad'],
      ['OBJECT', 'FREQ', key],
      ['DEL', key],
      ['XINFO', 'STREAM', key],
      ['XINFO', 'GROUPS', key],
      ['XGROUP', 'CREATE', key, 'g', '$'],
      ['RENAME', key, 'x'],
      ['RENAMENX', key, key],
      ['LSET', key, '0', 'v'],
      ['OBJECT', 'ENCODING', key],
      ['XCLAIM', key, 'g', 'c', '0', '1-1', key],
    ])
    await same(requests)
    await same(inMulti(requests))
  })
})

describe('replies', () => {
  test('RENAME, OBJECT, XINFO, TOUCH and what else looks at one key', async () => {
    const requests = KEYS.flatMap((key, i): Words[] => {
      const next = KEYS[(i + 1) % KEYS.length]
      return [
        ['XADD', key, '1-1', 'f', 'v'],
        ['XGROUP', 'CREATE', key, key, '0'],
        ['XINFO', 'STREAM', key],
        ['XINFO', 'GROUPS', key],
        ['XINFO', 'CONSUMERS', key, key],
        ['OBJECT', 'ENCODING', key],
        ['OBJECT', 'REFCOUNT', key],
        ['TYPE', key],
        ['RENAME', key, next],
        ['RENAMENX', next, key],
        ['RENAMENX', key, key],
        ['EXISTS', key, next, key],
        ['TOUCH', key, next],
        ['COPY', key, next],
        ['UNLINK', key, next],
      ]
    })
    await same(requests)
    await same(inMulti(requests))
  })

  test('keys that come back', async () => {
    const requests = KEYS.flatMap((key): Words[] => [
      ['RPUSH', key, 'a', 'b', 'c', 'd'],
      ['BLPOP', 'none', key, '1'],
      ['BRPOP', key, '1'],
      ['LMPOP', '2', 'none', key, 'LEFT'],
      ['BLMPOP', '1', '1', key, 'LEFT'],
      ['ZADD', key, '1', 'a', '2', 'b', '3', 'c', '4', 'd'],
      ['BZPOPMIN', key, '1'],
      ['BZPOPMAX', 'none', key, '1'],
      ['ZMPOP', '1', key, 'MIN'],
      ['BZMPOP', '1', '1', key, 'MAX'],
      ['XADD', key, '1-1', key, key],
      ['XGROUP', 'CREATE', key, 'g', '0'],
      ['XREAD', 'STREAMS', 'none', key, '0', '0'],
      ['XREAD', 'BLOCK', '5', 'STREAMS', key, '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '0'],
      ['XAUTOCLAIM', key, 'g', 'd', '0', '0', 'JUSTID'],
      ['DEL', key],
    ])
    const replies = await same(requests)
    expect(replies.join('')).not.toMatch(/acme:acme|five:3:five/)
    await same(inMulti(requests))
  })

  test('a payload of DUMP is that of any other key, and RESTORE takes it', async () => {
    const client = await keyward.connect({ password: 'five' })
    const bare = await RawClient.connect({ port: server.port })
    open.push(client, bare)
    for (const key of KEYS) {
      const fill = request('ZADD', key, '1', key, '2', 'acme:x')
      await Promise.all([client.exchange(fill), bare.exchange(fill)])
      const dump = request('DUMP', key)
      const [[ours], [theirs]] = await Promise.all([client.exchange(dump), bare.exchange(dump)])
      expect(ours.equals(theirs)).toBe(true)
      const payload = ours.subarray(ours.indexOf('\r\n') + 2, -2)
      for (const target of [client, bare]) {
        expect(await target.command('RESTORE', key, '0', payload)).toBe('-BUSYKEY Target key name already exists.\r\n')
        expect(await target.command('RESTORE', key, '0', payload, 'REPLACE')).toBe('+OK\r\n')
        expect(await target.command('ZSCORE', key, key)).toBe('$1\r\n1\r\n')
      }
    }
  })
})
