import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Line, playAlike, playBare } from '../helpers/conversation.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Publish and subscribe for a tenant is, byte for byte, what a server of its own would do. */
let redis: RedisServer
let bare: RedisServer
let through: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  through = await startRedis()
  bare = await startRedis()
  const user = (password: string) => ({ users: { default: { password } } })
  const config = configFor(redis, {
    tenants: {
      acme: { upstream: 'main', ...user('acme') },
      beta: { upstream: 'main', databases: 3, ...user('beta') },
      narrow: { upstream: 'main', subscriptions: 5, ...user('narrow') },
      all: { upstream: 'own', prefix: '', ...user('all') },
    },
  })
  Object.assign(config.upstreams as object, { own: { url: through.url } })
  keyward = await startKeyward(config)
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')) === '')).toBe(true)
  expect(await redis.cli('PUBSUB', 'NUMPAT')).toBe('0')
  expect(await leftovers(keyward)).toEqual({})
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
  await through?.stop()
  await bare?.stop()
})

async function connect(password: string | undefined, protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await (password === undefined ? RawClient.connect({ port: bare.port }) : keyward.connect({ password }))
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

async function people(password: string | undefined, names: string, protocol: 2 | 3) {
  const clients: Record<string, RawClient> = {}
  for (const name of names.split(' ')) clients[name] = await connect(password, protocol)
  return clients
}

const BINARY = Buffer.from([0, 255, 13, 10, 42, 91, 92, 63])

const CONVERSATIONS: Readonly<Record<string, readonly Line[]>> = {
  'channels and patterns': [
    ['a', 'SUBSCRIBE', 'news', 'sport', 'news'],
    ['a', 'PSUBSCRIBE', 'n*', 'h[ae]llo', 'x\\*y'],
    ['b', 'SUBSCRIBE', 'news'],
    ['c', 'PUBLISH', 'news', 'hello'],
    ['c', 'PUBLISH', 'sport', ''],
    ['c', 'PUBLISH', 'hello', 'x'.repeat(100)],
    ['c', 'PUBLISH', 'hillo', 'x'],
    ['c', 'PUBLISH', 'x*y', 'star'],
    ['c', 'PUBLISH', 'xzy', 'none'],
    ['c', 'PUBSUB', 'NUMSUB', 'news', 'sport', 'nobody'],
    ['c', 'PUBSUB', 'NUMSUB'],
    ['c', 'PUBSUB', 'NUMPAT'],
    ['c', 'PUBSUB', 'CHANNELS', 'n*'],
    ['c', 'PUBSUB', 'CHANNELS', 'x*'],
    ['c', 'PUBSUB', 'CHANNELS', 'a', 'b'],
    ['c', 'PUBSUB', 'NUMPAT', 'x'],
    ['c', 'PUBSUB', 'nothing'],
    ['c', 'PUBSUB'],
    ['c', 'PUBLISH', 'news'],
    ['b', 'UNSUBSCRIBE', 'sport', 'news', 'news'],
    ['c', 'PUBLISH', 'news', 'two'],
    ['a', 'UNSUBSCRIBE', 'news'],
    ['c', 'PUBLISH', 'news', 'one pattern'],
    ['c', 'PUBSUB', 'NUMSUB', 'news', 'sport'],
    ['a', 'PUNSUBSCRIBE', 'n*', 'unknown*'],
    ['c', 'PUBLISH', 'news', 'nobody'],
    ['a', 'UNSUBSCRIBE'],
    ['a', 'UNSUBSCRIBE'],
    ['a', 'PUNSUBSCRIBE', 'x\\*y', 'h[ae]llo'],
    ['a', 'PUNSUBSCRIBE'],
    ['a', 'GET', 'nokey'],
  ],
  'shard channels': [
    ['a', 'SSUBSCRIBE', 's1', 's2'],
    ['a', 'SUBSCRIBE', 's1'],
    ['b', 'SSUBSCRIBE', 's1'],
    ['c', 'SPUBLISH', 's1', 'x'],
    ['c', 'PUBLISH', 's1', 'y'],
    ['c', 'PUBSUB', 'SHARDNUMSUB', 's1', 's2', 's3'],
    ['c', 'PUBSUB', 'SHARDCHANNELS', 's2'],
    ['c', 'PUBSUB', 'CHANNELS'],
    ['a', 'SUNSUBSCRIBE', 'nothing'],
    ['a', 'SUNSUBSCRIBE', 's1', 's2'],
    ['a', 'SUNSUBSCRIBE'],
    ['c', 'SPUBLISH', 's1', 'z'],
    ['b', 'RESET'],
  ],
  'names of any bytes': [
    ['a', 'SUBSCRIBE', BINARY, '', '*', 'subscribe', 'message'],
    ['b', 'PSUBSCRIBE', '', '\\', '[', '*', '**', 'a\\'],
    ['c', 'PUBLISH', BINARY, BINARY],
    ['c', 'PUBLISH', '', 'empty'],
    ['c', 'PUBLISH', '*', 'a star'],
    ['c', 'PUBLISH', '\\', 'a backslash'],
    ['c', 'PUBLISH', 'subscribe', 'message'],
    ['c', 'PUBSUB', 'CHANNELS', 's*'],
    ['c', 'PUBSUB', 'CHANNELS', ''],
    ['c', 'PUBSUB', 'NUMSUB', '', BINARY],
    ['a', 'UNSUBSCRIBE', '', BINARY],
    ['c', 'PUBLISH', '', 'empty'],
  ],
  'what a subscribed client may do': [
    ['a', 'SUBSCRIBE', 'x'],
    ['a', 'GET', 'nokey'],
    ['a', 'get'],
    ['a', 'nosuch', 'command'],
    ['a', 'CLIENT', 'GETNAME'],
    ['a', 'PING'],
    ['a', 'PING', 'hello'],
    ['a', 'PING', 'a', 'b'],
    ['a', 'SUBSCRIBE'],
    ['a', [['MULTI'], ['DISCARD']]],
    ['a', 'EXEC'],
    ['a', 'PUNSUBSCRIBE'],
    ['a', 'GET', 'nokey'],
    ['a', 'UNSUBSCRIBE', 'x'],
    ['a', 'GET', 'nokey'],
    ['a', 'PING'],
  ],
  'in a transaction of the publisher': [
    ['a', 'SUBSCRIBE', 'x'],
    ['b', 'PSUBSCRIBE', '*'],
    [
      'c',
      [
        ['MULTI'],
        ['PUBLISH', 'x', '1'],
        ['PUBSUB', 'NUMSUB', 'x', 'y'],
        ['PUBSUB', 'CHANNELS'],
        ['PUBSUB', 'NUMPAT'],
        ['PUBLISH', 'y', '2'],
        ['SET', 'k', 'v'],
        ['EXEC'],
      ],
    ],
  ],
}

describe.each([
  ['RESP2', 'a tenant', 'acme', 2],
  ['RESP3', 'a tenant', 'acme', 3],
  ['RESP2', 'a tenant with databases', 'beta', 2],
  ['RESP3', 'the tenant without a prefix', 'all', 3],
] as const)('in %s, for %s', (_, __, password, protocol) => {
  test.each(Object.entries(CONVERSATIONS))('%s', async (_name, lines) => {
    const plain = await people(undefined, 'a b c', protocol)
    const expected = await playBare(plain, lines)
    for (const client of Object.values(plain)) client.destroy()
    const heard = await playAlike(await people(password, 'a b c', protocol), lines, expected)
    for (const [i, line] of lines.entries()) expect(heard[i], line.map(String).join(' ')).toEqual(expected[i])
  })
})

/** One after the other on the bare server and through Keyward: the same bytes for the same pipeline. */
async function pipelined(protocol: 2 | 3, requests: readonly string[]): Promise<[string, string]> {
  const bytes = Buffer.concat([...requests, 'PING the-end'].map((line) => request(...line.split(' '))))
  const said: string[] = []
  for (const password of [undefined, 'acme']) {
    const client = await connect(password, protocol)
    client.send(bytes)
    said.push((await client.receive('the-end\r\n')).toString('latin1'))
    await client.silence(20)
    client.destroy()
  }
  return [said[0], said[1]]
}

test('a pipeline sees the mode that the requests before it lead to', async () => {
  const requests = ['GET k', 'SUBSCRIBE a b', 'GET k', 'PING', 'UNSUBSCRIBE a', 'GET k', 'UNSUBSCRIBE', 'GET k', 'PING']
  const [expected, heard] = await pipelined(2, requests)
  expect(heard).toBe(expected)
  const [expected3, heard3] = await pipelined(3, [...requests, 'PUBLISH a x', 'SUBSCRIBE a', 'CLIENT GETNAME'])
  expect(heard3).toBe(expected3)
})

test.each([2, 3] as const)('CLIENT REPLY OFF and SKIP hold no acknowledgement back, in RESP%i', async (protocol) => {
  const skip = 'CLIENT REPLY SKIP'
  const off = ['CLIENT REPLY OFF', 'SUBSCRIBE z', 'PING', 'GET k', 'UNSUBSCRIBE z', 'UNSUBSCRIBE', 'CLIENT REPLY ON']
  const requests = [
    skip,
    'SUBSCRIBE x y',
    'PING',
    'UNSUBSCRIBE x',
    skip,
    'UNSUBSCRIBE y',
    skip,
    'GET k',
    ...off,
    'PING',
  ]
  const [expected, heard] = await pipelined(protocol, requests)
  expect(heard).toBe(expected)
})

test('HELLO while subscribed changes the form of messages, and the mode', async () => {
  const lines: Line[] = [
    ['a', 'SUBSCRIBE', 'x'],
    ['b', 'PUBLISH', 'x', '1'],
    ['a', 'HELLO', '2', 'SETNAME', 'n'],
    ['b', 'PUBLISH', 'x', '2'],
    ['a', 'HELLO', '3'],
    ['a', 'UNSUBSCRIBE', 'x'],
  ]
  const expected = await playBare(await people(undefined, 'a b', 3), lines)
  const heard = await playAlike(await people('acme', 'a b', 3), lines, expected)
  for (const i of [0, 1, 3, 4, 5]) expect(heard[i], String(lines[i])).toEqual(expected[i])
  expect(heard[2].a[0]).toContain('proto\r\n:2\r\n')
})

test('QUIT and RESET end it; who left gets nothing, and is not counted', async () => {
  const [one, two, three] = [await connect('acme'), await connect('acme'), await connect('acme')]
  await one.exchange(request('SUBSCRIBE', 'x'))
  await two.exchange(request('SUBSCRIBE', 'x'))
  expect(await one.command('QUIT')).toBe('+OK\r\n')
  await one.closed()
  expect(await eventually(async () => (await three.command('PUBLISH', 'x', '1')) === ':1\r\n')).toBe(true)
  expect(await two.reply()).toEqual(Buffer.from('*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n1\r\n'))
  expect((await two.exchange(request('RESET')))[0].toString()).toMatch(/RESET|message/)
  expect(await eventually(async () => (await three.command('PUBLISH', 'x', '2')) === ':0\r\n')).toBe(true)
})

test('in a transaction it is refused, and the transaction aborted', async () => {
  const client = await connect('acme')
  expect(await client.command('MULTI')).toBe('+OK\r\n')
  expect(await client.command('SUBSCRIBE', 'x')).toBe('-ERR Command not allowed inside a transaction\r\n')
  expect(await client.command('EXEC')).toMatch(/^-EXECABORT/)
})

test('a watching client may subscribe in RESP3, and its transaction goes on', async () => {
  const client = await connect('acme', 3)
  const bytes = ['WATCH k', 'SUBSCRIBE x', 'MULTI', 'SET k 1', 'PUBLISH other 1', 'EXEC', 'UNSUBSCRIBE x']
  const frames = await client.exchange(Buffer.concat(bytes.map((line) => request(...line.split(' ')))), 7)
  expect(frames.map(String).slice(2)).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    '+QUEUED\r\n',
    '*2\r\n+OK\r\n:0\r\n',
    '>3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n',
  ])
})

test('over tenants.<t>.subscriptions nothing of a request is subscribed to', async () => {
  const [one, two] = [await connect('narrow'), await connect('narrow')]
  await one.exchange(request('SUBSCRIBE', 'a', 'b', 'c'), 3)
  expect(await two.command('SUBSCRIBE', 'a', 'b', 'd')).toBe('-ERR max number of subscriptions reached\r\n')
  expect(await two.command('PUBSUB', 'NUMSUB', 'a', 'd')).toBe('*4\r\n$1\r\na\r\n:1\r\n$1\r\nd\r\n:0\r\n')
  await two.exchange(request('PSUBSCRIBE', 'a', 'b'), 2)
  // What one has already counts once.
  await one.exchange(request('SUBSCRIBE', 'a', 'b', 'c'), 3)
  expect(await one.command('SUBSCRIBE', 'e')).toMatch(/^-ERR max number/)
  await one.exchange(request('UNSUBSCRIBE', 'a'))
  await two.exchange(request('SUBSCRIBE', 'e'))
  const long = Buffer.alloc(1024 * 1024 + 1, 'x')
  await one.exchange(request('UNSUBSCRIBE'), 2)
  expect(await one.command('SUBSCRIBE', long)).toMatch(/^-ERR max number/)
})

test('CLIENT LIST, CLIENT INFO and INFO tell of it', async () => {
  const [one, two] = [await connect('acme', 3), await connect('acme')]
  await one.exchange(request('SUBSCRIBE', 'a', 'b'), 2)
  await one.exchange(request('PSUBSCRIBE', 'a*'), 1)
  await one.exchange(request('SSUBSCRIBE', 's'), 1)
  expect(await one.command('CLIENT', 'INFO')).toMatch(/ flags=P .* sub=2 psub=1 ssub=1 /)
  expect(await two.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).toMatch(/^\$\d+\r\nid=\d+ [^\n]* sub=2 [^\n]*\n\r\n$/)
  expect(await two.command('CLIENT', 'LIST', 'TYPE', 'normal')).not.toContain('sub=2')
  expect(await two.command('INFO', 'stats')).toMatch(
    /pubsub_channels:2\r\npubsub_patterns:1\r\npubsubshard_channels:1\r\n/,
  )
})
