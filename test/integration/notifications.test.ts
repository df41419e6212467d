import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { playAlike, playBare } from '../helpers/conversation.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Keyspace notifications reach the tenant whose key it is, in both forms, as a server of its own would send them. */
let redis: RedisServer
let bare: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis({ config: ['notify-keyspace-events AKEmn'] })
  bare = await startRedis({ config: ['notify-keyspace-events AKEmn'] })
  const tenant = (password: string, more = {}) => ({ upstream: 'main', ...more, users: { default: { password } } })
  keyward = await startKeyward(
    configFor(redis, {
      tenants: { acme: tenant('acme'), beta: tenant('beta', { databases: 12 }), quiet: tenant('quiet') },
    }),
  )
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'NUMPAT')) === '0')).toBe(true)
  expect(await redis.cli('PUBSUB', 'CHANNELS')).toBe('')
  expect(await leftovers(keyward)).toEqual({})
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
  await bare?.stop()
})

async function connect(password: string | undefined, protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await (password === undefined ? RawClient.connect({ port: bare.port }) : keyward.connect({ password }))
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

const text = (frame: Buffer) =>
  [...frame.toString('latin1').matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word).join(' ')

const BINARY = Buffer.from([0, 255, 42, 58, 91])

/** Events of all classes, with expiry. What happens to a key is told before the next line is said. */
const WRITES: (readonly (string | Buffer)[])[] = [
  ['SET', 'k', 'v'],
  ['GET', 'missing'],
  ['SET', BINARY, 'v'],
  ['SET', '', 'the empty key'],
  ['SET', 'a:b:c', 'v', 'PX', '100000'],
  ['APPEND', 'k', 'v'],
  ['RENAME', 'k', 'k2'],
  ['COPY', 'k2', 'k3'],
  ['EXPIRE', 'k2', '100'],
  ['PERSIST', 'k2'],
  ['EXPIRE', 'k2', '-1'],
  ['RPUSH', 'l', 'b', 'a'],
  ['SORT', 'l', 'ALPHA', 'STORE', 'sorted'],
  ['LPOP', 'l', '2'],
  ['HSET', 'h', 'f', 'v'],
  ['SADD', 's', 'm'],
  ['ZADD', 'z', '1', 'm'],
  ['XADD', 'x', '1-1', 'f', 'v'],
  ['XGROUP', 'CREATE', 'x', 'g', '0'],
  ['DEL', 'h', 's', 'z', 'x', 'sorted', 'k3', 'a:b:c', '', BINARY],
]

test.each([
  ['acme', 2],
  ['acme', 3],
  ['beta', 2],
] as const)('channels and patterns of %s hear of its keys, in RESP%i', async (tenant, protocol) => {
  for (const server of [bare, redis]) await server.cli('FLUSHALL')
  const names = ['all', 'keys', 'events', 'one', 'odd', 'writer']
  const people = async (password: string | undefined) =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await connect(password, protocol)] as const)))
  const lines = [
    ['all', 'PSUBSCRIBE', '*'],
    ['keys', 'PSUBSCRIBE', '__keyspace@0__:k*'],
    ['events', 'PSUBSCRIBE', '__keyevent@*__:*'],
    ['one', 'SUBSCRIBE', '__keyspace@0__:k', '__keyevent@0__:set', '__keyevent@0__:del', 'plain'],
    ['odd', 'PSUBSCRIBE', '_?key[se][pv]*', 'key*', '__keyspace'],
    ...WRITES.map((line) => ['writer', ...line] as const),
    // Anybody may publish to such a channel; then it is a message like any other.
    ['writer', 'PUBLISH', '__keyspace@0__:k', 'made up'],
    ['writer', 'PUBSUB', 'NUMSUB', '__keyspace@0__:k'],
    ['writer', 'PUBSUB', 'CHANNELS', 'p*'],
    ['all', 'PUNSUBSCRIBE', '*'],
    ['writer', 'SET', 'k', 'v'],
  ] as const
  const expected = await playBare(await people(undefined), lines)
  const heard = await playAlike(await people(tenant), lines, expected)
  for (const [i, line] of lines.entries()) expect(heard[i], line.map(String).join(' ')).toEqual(expected[i])
  const count = expected.reduce((sum, after) => sum + Object.values(after).flat().length, 0)
  expect(count).toBeGreaterThan(150)
})

test('another tenant hears nothing of it, not by any pattern', async () => {
  const [acme, beta, quiet] = [await connect('acme'), await connect('beta'), await connect('quiet')]
  for (const client of [beta, quiet]) {
    await client.exchange(request('PSUBSCRIBE', '*', '__key*', '__keyspace@0__:acme:*', '__keyevent@0__:*'), 4)
    await client.exchange(request('SUBSCRIBE', '__keyspace@0__:acme:k', '__keyspace@0__:k', '__keyevent@0__:set'), 3)
  }
  for (const key of ['k', 'acme:k', 'beta:0:k', '__keyspace@0__:k']) await acme.command('SET', key, 'v')
  await redis.cli('SET', 'beta:nodigits:k', 'v')
  await redis.cli('SET', 'beta:12:k', 'v')
  await redis.cli('SET', 'beta:01:k', 'v')
  await redis.cli('SET', 'bet', 'v')
  await beta.silence(60)
  await quiet.silence(10)
  // One pattern for each of the two, on its own keys, and nothing on events.
  expect(await redis.cli('PUBSUB', 'NUMPAT')).toBe(String(2 * 4 + 2))
})

test('a database number of the tenant’s own stands in the channel', async () => {
  const [listener, writer] = [await connect('beta'), await connect('beta')]
  await listener.exchange(request('PSUBSCRIBE', '__key*@3__:*', '__keyspace@11__:*'), 2)
  await writer.command('SET', 'zero', 'v')
  await writer.command('SELECT', '3')
  await writer.command('SET', '3:k', 'v')
  await writer.command('SELECT', '11')
  await writer.command('SET', 'k', 'v')
  const heard = (await listener.replies(4)).map(text)
  expect(heard).toEqual([
    'pmessage __key*@3__:* __keyspace@3__:3:k new',
    'pmessage __key*@3__:* __keyevent@3__:new 3:k',
    'pmessage __key*@3__:* __keyspace@3__:3:k set',
    'pmessage __key*@3__:* __keyevent@3__:set 3:k',
  ])
  expect((await listener.replies(2)).map(text)).toEqual([
    'pmessage __keyspace@11__:* __keyspace@11__:k new',
    'pmessage __keyspace@11__:* __keyspace@11__:k set',
  ])
  await listener.silence(30)
})

test('CONFIG SET notify-keyspace-events is each tenant’s own, and says what classes and forms come', async () => {
  const [listener, writer, other] = [await connect('quiet'), await connect('quiet'), await connect('acme')]
  expect(await writer.command('CONFIG', 'GET', 'notify-keyspace-events')).toContain('AKEm\r\n')
  expect(await writer.command('CONFIG', 'SET', 'notify-keyspace-events', 'Exg')).toBe('+OK\r\n')
  expect(await writer.command('CONFIG', 'GET', 'notify-keyspace-events')).toContain('gxE\r\n')
  expect(await other.command('CONFIG', 'GET', 'notify-keyspace-events')).toContain('AKEm\r\n')
  await listener.exchange(request('PSUBSCRIBE', '__key*'))
  await writer.command('SET', 'k', 'v', 'PX', '1')
  const [expire, expired] = (await listener.replies(2)).map(text)
  expect(expire).toBe('pmessage __key* __keyevent@0__:expire k')
  expect(expired).toBe('pmessage __key* __keyevent@0__:expired k')
  expect(await writer.command('CONFIG', 'SET', 'notify-keyspace-events', '')).toBe('+OK\r\n')
  await writer.command('DEL', 'k')
  await writer.command('SET', 'k', 'v')
  await listener.silence(50)
  // In Redis' own words, and nothing else may be set.
  for (const set of [
    ['notify-keyspace-events', 'KEQ'],
    ['NOTIFY-keyspace-events', 'KE', 'notify-keyspace-events', 'x'],
  ]) {
    const plain = await connect(undefined)
    expect(await writer.command('CONFIG', 'SET', ...set)).toBe(await plain.command('CONFIG', 'SET', ...set))
  }
  for (const set of [
    ['hz', '10'],
    ['notify-keyspace-events', 'KEA', 'hz', '10'],
  ]) {
    expect(await writer.command('CONFIG', 'SET', ...set)).toMatch(/^-ERR unknown subcommand 'SET'/)
  }
  expect(await writer.command('CONFIG', 'GET', 'notify-keyspace-events')).toContain('$0\r\n\r\n')
  expect(await bare.cli('CONFIG', 'GET', 'notify-keyspace-events')).toContain('AKEm')
})

test('what the upstream does not send is told to the operator, once', async () => {
  const silent = await startRedis({ config: ['notify-keyspace-events Kg'] })
  const own = await startKeyward(configFor(silent))
  try {
    expect(await eventually(() => own.proxy.ready().ready)).toBe(true)
    const client = await own.connect({ password: 'acme' })
    expect(await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Ex')).toBe('+OK\r\n')
    expect(await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Ex')).toBe('+OK\r\n')
    expect(own.log.filter((line) => line.msg.includes('keyspace notifications'))).toMatchObject([{ lacking: 'x' }])
    expect(await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Eg')).toBe('+OK\r\n')
    await client.exchange(request('SUBSCRIBE', '__keyevent@0__:del'))
    const writer = await own.connect({ password: 'acme' })
    await writer.command('SET', 'k', 'v')
    await writer.command('DEL', 'k')
    expect(text(await client.reply())).toBe('message __keyevent@0__:del k')
    client.destroy()
    writer.destroy()
  } finally {
    own.stop()
    await silent.stop()
  }
})

test('every event of this server is of the class that Keyward thinks', async () => {
  const listener = await connect(undefined)
  const writer = await connect(undefined)
  const lines = [
    ...WRITES,
    ...[
      'SETRANGE k 0 x|INCRBY n 1|INCRBYFLOAT n 1.5|SETBIT b 0 1|PFADD p a|PFMERGE p2 p|BITOP NOT b2 b|MSET m1 1 m2 2',
      'LPUSH l a b c|RPUSH l d|LINSERT l BEFORE a x|LSET l 0 z|LREM l 0 x|LTRIM l 0 3|LMOVE l l2 LEFT RIGHT|RPOP l',
      'SADD s a b c|SREM s a|SPOP s|SINTERSTORE s2 s s|SUNIONSTORE s3 s s|SDIFFSTORE s4 s nos',
      'HSET h a 1 b 2|HINCRBY h a 1|HINCRBYFLOAT h a 1.5|HDEL h a',
      'ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g|ZINCRBY z 1 a|ZREM z a|ZREMRANGEBYSCORE z 2 2|ZREMRANGEBYRANK z 0 0',
      'ZREMRANGEBYLEX z [a [d|ZPOPMIN z|ZPOPMAX z|ZADD z 1 a|ZINTERSTORE z2 1 z|ZUNIONSTORE z3 1 z|ZDIFFSTORE z4 1 z',
      'ZRANGESTORE z5 z 0 -1|GEOADD geo 1 1 a|GEOSEARCHSTORE g2 geo FROMMEMBER a BYRADIUS 1 km',
      'GEORADIUS geo 1 1 1 km STORE g3|XADD x * f v|XDEL x 1-1|XTRIM x MAXLEN 0|XSETID x 9999999999999-1',
      'XGROUP SETID x g 0|XGROUP CREATECONSUMER x g c|XGROUP DELCONSUMER x g c|XGROUP DESTROY x g',
      'MOVE k 1|SET t 1 PX 1|SET e 1 EX 100|PERSIST e|GETEX e EX 10|RENAME e f',
    ].flatMap((line) => line.split('|').map((one) => one.split(' '))),
  ]
  const { formsOf, readEventFlags } = await import('../../src/keyspace/notifications.ts')
  for (const letter of 'g$lshzxtnm') {
    await writer.command('FLUSHALL')
    await writer.command('XADD', 'x', '1-1', 'f', 'v')
    await writer.command('XGROUP', 'CREATE', 'x', 'g', '0')
    await bare.cli('CONFIG', 'SET', 'notify-keyspace-events', `K${letter}`)
    await listener.exchange(request('PSUBSCRIBE', '*'))
    for (const line of lines) await writer.command(...line)
    if (letter === 'x') expect(text(await listener.reply())).toContain('expired')
    const events = new Set<string>()
    listener.send(request('PUNSUBSCRIBE', '*'))
    for (;;) {
      const [word, , channel, event] = text(await listener.reply()).split(' ')
      if (word === 'punsubscribe') break
      if (channel.startsWith('__keyspace@0__')) events.add(event)
    }
    for (const event of events)
      expect(formsOf(event, readEventFlags(`K${letter}`) as number), `${letter} ${event}`).toBe(1 << 11)
    if (letter !== 'x') expect(events.size, letter).toBeGreaterThan(0)
  }
  await bare.cli('CONFIG', 'SET', 'notify-keyspace-events', 'AKEmn')
})
