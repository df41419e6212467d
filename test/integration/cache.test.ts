import { describe, expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, executed, hits } from '../helpers/cached.ts'
import type { ConfigObject } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { bare, clients, connect, pipeline, redis, remembered, stageCache, start, type Words } from './cache-stage.ts'

/**
 * The near cache: a read that was answered before is answered again from memory, byte for byte as Redis answers it; and
 * what must not come from memory never does.
 */
stageCache()

/** What each of these says is the same whoever asks, and depends on one key. */
const CACHED: readonly string[] = [
  ...['GET text', 'GET gone', 'STRLEN text', 'STRLEN gone', 'GETRANGE text 1 3', 'SUBSTR text 1 3', 'GETBIT text 5'],
  ...['BITCOUNT text', 'BITCOUNT text 0 1', 'BITPOS text 1', 'EXISTS text', 'EXISTS gone', 'TYPE text', 'TYPE gone'],
  ...['HGET hash f', 'HGET hash none', 'HMGET hash f none g', 'HGETALL hash', 'HGETALL gone', 'HLEN hash'],
  ...['HEXISTS hash f', 'HEXISTS hash none', 'HKEYS hash', 'HVALS hash', 'HSTRLEN hash f'],
  ...['LRANGE list 0 -1', 'LLEN list', 'LINDEX list 1', 'LINDEX list 99', 'LPOS list b'],
  ...['SMEMBERS set', 'SISMEMBER set a', 'SMISMEMBER set a x', 'SCARD set'],
  ...['ZRANGE sorted 0 -1', 'ZRANGE sorted 0 -1 WITHSCORES', 'ZRANGE sorted (1 3 BYSCORE', 'ZREVRANGE sorted 0 -1'],
  ...['ZRANGEBYSCORE sorted -inf +inf', 'ZREVRANGEBYSCORE sorted +inf 0 LIMIT 0 1', 'ZRANGEBYLEX sorted - +'],
  ...['ZREVRANGEBYLEX sorted + -', 'ZSCORE sorted a', 'ZSCORE sorted none', 'ZMSCORE sorted a none', 'ZCARD sorted'],
  ...['ZCOUNT sorted 0 2', 'ZLEXCOUNT sorted - +', 'ZRANK sorted b', 'ZREVRANK sorted b'],
  ...['GEOPOS places Palermo none', 'GEODIST places Palermo Catania km', 'GEOHASH places Palermo'],
  ...['XLEN stream', 'XRANGE stream - +', 'XREVRANGE stream + - COUNT 1'],
  ...['MGET text', 'MGET text text2 gone text'],
]

/** Their replies depend on the moment, on chance, on more than the keys, or leave traces that somebody counts on. */
const NEVER: readonly string[] = [
  ...['TTL text', 'PTTL text', 'EXPIRETIME text', 'PEXPIRETIME text', 'OBJECT ENCODING text', 'OBJECT IDLETIME text'],
  ...['SRANDMEMBER set', 'HRANDFIELD hash', 'ZRANDMEMBER sorted', 'HSCAN hash 0', 'SSCAN set 0', 'ZSCAN sorted 0'],
  ...['DUMP text', 'TOUCH text', 'XINFO STREAM stream', 'SORT list ALPHA', 'MEMORY USAGE text', 'GETEX text', 'DBSIZE'],
]

async function fill(prefix: string): Promise<void> {
  await pipeline(
    bare,
    ['MSET', `${prefix}text`, 'some text', `${prefix}text2`, 'x'],
    ['HSET', `${prefix}hash`, 'f', '1', 'g', 'two'],
    ['RPUSH', `${prefix}list`, 'a', 'b', 'c'],
    ['SADD', `${prefix}set`, 'a', 'b', '3'],
    ['ZADD', `${prefix}sorted`, 1, 'a', 2.5, 'b', 3, 'c'],
    ['GEOADD', `${prefix}places`, 13.36, 38.11, 'Palermo', 15.08, 37.5, 'Catania'],
    ['XADD', `${prefix}stream`, '1-1', 'f', 'v'],
    ['XADD', `${prefix}stream`, '2-1', 'f', 'w'],
  )
}

const KEYS = /^(text2?|gone|hash|list|set|sorted|places|stream)$/

describe.each([2, 3] as const)('RESP%i', (protocol) => {
  test('each reply from memory is what Redis says, byte for byte', { timeout: 120_000 }, async () => {
    await fill('acme:')
    await start(cachedConfig(redis))
    const client = await connect(protocol)
    expect(await hits(client, bare)).toBe(true)
    const direct = await RawClient.connect({ port: redis.port })
    clients.push(direct)
    if (protocol === 3) await direct.command('HELLO', 3)
    for (const line of CACHED) {
      const words = line.split(' ')
      const raw = words.map((word, i) => (i > 0 && KEYS.test(word) ? `acme:${word}` : word))
      const truth = await direct.command(...raw)
      for (let i = 0; i < 3; i++) expect(await client.command(...words), line).toBe(truth)
      expect(await remembered(client, ...words), `${line} is answered from memory`).toBe(true)
      expect(await client.command(...words), line).toBe(truth)
      expect((await pipeline(client, words, words, words)).join(''), line).toBe(truth.repeat(3))
    }
  })

  test('what depends on more than its keys is asked every time', async () => {
    await fill('acme:')
    await start(cachedConfig(redis))
    const client = await connect(protocol)
    expect(await hits(client, bare)).toBe(true)
    for (const line of NEVER) {
      const words = line.split(' ')
      const seen = await executed(bare, async () => {
        for (let i = 0; i < 5; i++) expect(await client.command(...words), line).not.toMatch(/^-/)
      })
      const most = Math.max(...Object.values(seen), Number(words[0] === 'TOUCH') * 5)
      expect(most, `${line}: ${JSON.stringify(seen)}`).toBeGreaterThanOrEqual(5)
    }
  })
})

test('RESP2 and RESP3 have entries of their own', async () => {
  await fill('acme:')
  await start(cachedConfig(redis))
  const [two, three] = [await connect(2), await connect(3)]
  expect(await hits(two, bare)).toBe(true)
  for (let i = 0; i < 20; i++) {
    expect(await two.command('HGETALL', 'hash')).toBe('*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\ng\r\n$3\r\ntwo\r\n')
    expect(await three.command('HGETALL', 'hash')).toBe('%2\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\ng\r\n$3\r\ntwo\r\n')
    expect(await two.command('GET', 'gone')).toBe('$-1\r\n')
    expect(await three.command('GET', 'gone')).toBe('_\r\n')
    expect(await two.command('ZSCORE', 'sorted', 'b')).toBe('$3\r\n2.5\r\n')
    expect(await three.command('ZSCORE', 'sorted', 'b')).toBe(',2.5\r\n')
    if (i === 10) {
      // The same client in the other protocol.
      await two.command('HELLO', 3)
      expect(await two.command('GET', 'gone')).toBe('_\r\n')
      await two.command('HELLO', 2)
    }
  }
})

test('only keys of the rules, of the tenants that have some', async () => {
  const config = cachedConfig(redis, { cache: { rules: [{ ...ALL_KEYS, keys: 'cache:*' }] } })
  Object.assign((config.tenants as { beta: ConfigObject }).beta, { cache: undefined })
  delete (config.tenants as { beta: ConfigObject }).beta.cache
  await start(config)
  const [acme, beta] = [await connect(), await connect(2, 'beta')]
  expect(await hits(acme, bare, 'cache:a')).toBe(true)
  expect(await remembered(acme, 'MGET', 'cache:a', 'cache:b')).toBe(true)
  for (const [client, ...words] of [
    [acme, 'GET', 'a'],
    [acme, 'GET', 'xcache:a'],
    [acme, 'MGET', 'cache:a', 'a'],
    [beta, 'GET', 'cache:a'],
  ] as const) {
    const seen = await executed(bare, async () => {
      for (let i = 0; i < 10; i++) await client.command(...words)
    })
    expect(Object.values(seen), words.join(' ')).toEqual([10])
  }
})

test('tenants and databases with the same key names', async () => {
  await start(cachedConfig(redis, { tenant: { databases: 3 } }))
  const acme = [await connect(), await connect()]
  const beta = await connect(3, 'beta')
  expect(await hits(acme[0], bare)).toBe(true)
  await acme[1].command('SELECT', 1)
  await acme[0].command('SET', 'k', 'acme 0')
  await acme[1].command('SET', 'k', 'acme 1')
  await beta.command('SET', 'k', 'beta 0')
  const all = [...acme, beta]
  for (let i = 0; i < 5; i++) {
    const values = await Promise.all(all.map((client) => client.command('GET', 'k')))
    expect(values.map((value) => value.slice(4, -2))).toEqual(['acme 0', 'acme 1', 'beta 0'])
  }
  for (const client of all) expect(await remembered(client, 'GET', 'k')).toBe(true)
  // One client through all databases: what it gets depends on where it is.
  for (let i = 0; i < 5; i++) {
    expect(
      await pipeline(acme[0], ['SELECT', 1], ['GET', 'k'], ['SELECT', 0], ['GET', 'k'], ['SELECT', 2], ['GET', 'k']),
    ).toEqual(['+OK\r\n', '$6\r\nacme 1\r\n', '+OK\r\n', '$6\r\nacme 0\r\n', '+OK\r\n', '$-1\r\n'])
    await acme[0].command('SELECT', 0)
    expect(await acme[0].command('GET', 'k')).toBe('$6\r\nacme 0\r\n')
  }
  expect(await acme[1].command('FLUSHDB')).toBe('+OK\r\n')
  expect(await acme[1].command('GET', 'k')).toBe('$-1\r\n')
  expect(await acme[0].command('GET', 'k')).toBe('$6\r\nacme 0\r\n')
  expect(await acme[0].command('FLUSHALL')).toBe('+OK\r\n')
  expect(await acme[0].command('GET', 'k')).toBe('$-1\r\n')
  expect(await beta.command('GET', 'k')).toBe('$6\r\nbeta 0\r\n')
})

test('in MULTI and behind WATCH every read is asked', async () => {
  await start(cachedConfig(redis))
  const [client, other] = [await connect(), await connect()]
  await client.command('SET', 'k', 1)
  expect(await hits(client, bare, 'k')).toBe(true)
  const reads = async (action: () => Promise<void>) => (await executed(bare, action)).get ?? 0
  expect(
    await reads(async () => {
      await client.command('WATCH', 'k')
      for (let i = 0; i < 5; i++) expect(await client.command('GET', 'k')).toBe('$1\r\n1\r\n')
      await client.command('UNWATCH')
    }),
  ).toBe(5)
  expect(await remembered(other, 'GET', 'k')).toBe(true)
  expect(
    await reads(async () => {
      const inMulti = await pipeline(client, ['MULTI'], ['GET', 'k'], ['GET', 'k'], ['EXEC'])
      expect(inMulti.slice(1)).toEqual(['+QUEUED\r\n', '+QUEUED\r\n', '*2\r\n$1\r\n1\r\n$1\r\n1\r\n'])
    }),
  ).toBe(2)
  // What is read behind WATCH is what EXEC answers for: a value from memory could be older than the moment of WATCH.
  await client.command('WATCH', 'k')
  await bare.command('SET', 'acme:k', 2)
  expect(await client.command('GET', 'k')).toBe('$1\r\n2\r\n')
  expect(await pipeline(client, ['MULTI'], ['SET', 'k', 3], ['EXEC'])).toEqual(['+OK\r\n', '+QUEUED\r\n', '*-1\r\n'])
  expect(await remembered(client, 'GET', 'k')).toBe(true)
})

test('a transaction that was discarded or aborted leaves everybody with what Redis has', async () => {
  await start(cachedConfig(redis))
  const [client, other] = [await connect(), await connect()]
  await client.command('SET', 'k', 1)
  expect(await hits(other, bare, 'k')).toBe(true)
  await pipeline(client, ['MULTI'], ['SET', 'k', 2])
  expect(await other.command('GET', 'k')).toBe('$1\r\n1\r\n')
  expect(await client.command('DISCARD')).toBe('+OK\r\n')
  expect(await client.command('GET', 'k')).toBe('$1\r\n1\r\n')
  await client.command('WATCH', 'k')
  await pipeline(client, ['MULTI'], ['SET', 'k', 2])
  expect(await other.command('SET', 'k', 5)).toBe('+OK\r\n')
  expect(await client.command('EXEC')).toBe('*-1\r\n')
  for (const one of [client, other]) expect(await one.command('GET', 'k')).toBe('$1\r\n5\r\n')
})

test('a read between a member of a transaction and its EXEC keeps nothing that EXEC makes old', async () => {
  await start(cachedConfig(redis))
  const [client, other] = [await connect(), await connect()]
  for (let i = 0; i < 30; i++) {
    await client.command('SET', 'k', `old ${i}`)
    await pipeline(client, ['MULTI'], ['SET', 'k', `new ${i}`])
    for (let n = 0; n < 3; n++) expect(await other.command('GET', 'k')).toContain(`old ${i}`)
    expect(await client.command('EXEC')).toBe('*1\r\n+OK\r\n')
    for (let n = 0; n < 3; n++) expect(await other.command('GET', 'k')).toContain(`new ${i}`)
  }
})

test('an error is never kept, nor is a WRONGTYPE that MGET hides', async () => {
  await start(cachedConfig(redis))
  const client = await connect()
  expect(await hits(client, bare)).toBe(true)
  await client.command('HSET', 'h', 'f', 1)
  const wrong = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
  const mget = '*2\r\n$-1\r\n$-1\r\n'
  for (let i = 0; i < 3; i++) {
    expect(await client.command('MGET', 'h', 'gone')).toBe(mget)
    expect(await pipeline(client, ['MGET', 'h', 'gone'], ['GET', 'h'])).toEqual([mget, wrong])
    expect(await client.command('GET', 'h')).toBe(wrong)
  }
  expect((await executed(bare, () => client.command('GET', 'h'))).get).toBe(1)
  // No longer one as soon as the key is a string.
  await client.command('SET', 'h', 'x')
  expect(await client.command('GET', 'h')).toBe('$1\r\nx\r\n')
})

test('CLIENT REPLY OFF and SKIP: nothing is answered that was not asked for', async () => {
  await start(cachedConfig(redis))
  const client = await connect()
  await client.command('SET', 'k', 1)
  expect(await hits(client, bare, 'k')).toBe(true)
  client.send(
    Buffer.concat([
      request('CLIENT', 'REPLY', 'OFF'),
      request('GET', 'k'),
      request('GET', 'never'),
      request('GET', 'k'),
    ]),
  )
  client.send(Buffer.concat([request('CLIENT', 'REPLY', 'ON'), request('GET', 'k')]))
  expect((await client.replies(2)).map(String)).toEqual(['+OK\r\n', '$1\r\n1\r\n'])
  for (let i = 0; i < 3; i++) {
    client.send(Buffer.concat([request('CLIENT', 'REPLY', 'SKIP'), request('GET', 'k'), request('ECHO', 'next')]))
    expect(String(await client.reply())).toBe('$4\r\nnext\r\n')
  }
})

test.each([
  ['200 KiB', 200 * 1024],
  ['2 MiB', 2 * 1024 * 1024],
])('values of %s: whole, and no older than the last write', async (_, size) => {
  await start(cachedConfig(redis))
  const [client, other] = [await connect(), await connect(3)]
  expect(await hits(client, bare)).toBe(true)
  for (let i = 0; i < 5; i++) {
    const value = `${i}`.repeat(size)
    const reply = `$${size}\r\n${value}\r\n`
    const inOne = await pipeline(client, ['SET', 'big', value], ['GET', 'big'])
    expect(inOne[1] === reply, 'behind the write').toBe(true)
    for (let n = 0; n < 4; n++) {
      for (const one of [client, other]) expect((await one.command('GET', 'big')) === reply, `round ${i}`).toBe(true)
    }
  }
})

test('a cache that is too small for an entry goes without it, and keeps its bounds', async () => {
  await start(cachedConfig(redis, { cache: { memory: '64KiB' } }))
  const client = await connect()
  const big = 'x'.repeat(100_000)
  await client.command('SET', 'big', big)
  for (let i = 0; i < 5; i++) expect((await client.command('GET', 'big')).length).toBe(big.length + 11)
  const value = 'y'.repeat(1000)
  for (let i = 0; i < 500; i++) await client.command('SET', `k${i}`, value)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 500; i++) expect(await client.command('GET', `k${i}`)).toBe(`$1000\r\n${value}\r\n`)
  }
})

test('MGET is put together from what GET has left, and leaves it for GET', async () => {
  await start(cachedConfig(redis))
  const client = await connect()
  await client.command('MSET', 'a', 1, 'b', 22, 'c', 333)
  expect(await hits(client, bare)).toBe(true)
  for (const key of ['a', 'b']) expect(await remembered(client, 'GET', key)).toBe(true)
  expect(await executed(bare, () => client.command('MGET', 'a', 'b', 'a'))).toEqual({})
  const reply = '*4\r\n$1\r\n1\r\n$-1\r\n$3\r\n333\r\n$2\r\n22\r\n'
  expect(await client.command('MGET', 'a', 'gone', 'c', 'b')).toBe(reply)
  expect(await remembered(client, 'MGET', 'a', 'gone', 'c', 'b')).toBe(true)
  expect(await client.command('MGET', 'a', 'gone', 'c', 'b')).toBe(reply)
  expect(await remembered(client, 'GET', 'c')).toBe(true)
  // One key that was written makes the whole of it be asked again.
  await client.command('SET', 'c', 4)
  expect(await client.command('MGET', 'a', 'gone', 'c', 'b')).toBe('*4\r\n$1\r\n1\r\n$-1\r\n$1\r\n4\r\n$2\r\n22\r\n')
})

test('arguments are part of an entry, and all entries of a key fall together', async () => {
  await start(cachedConfig(redis))
  const client = await connect()
  await client.command('HSET', 'h', 'f', 1, 'g', 2)
  expect(await hits(client, bare)).toBe(true)
  const reads: Words[] = [
    ['HGET', 'h', 'f'],
    ['HGET', 'h', 'g'],
    ['HMGET', 'h', 'f', 'g'],
    ['HMGET', 'h', 'g', 'f'],
    ['HLEN', 'h'],
  ]
  for (const words of reads) expect(await remembered(client, ...words)).toBe(true)
  expect(await pipeline(client, ...reads)).toEqual([
    ...['$1\r\n1\r\n', '$1\r\n2\r\n', '*2\r\n$1\r\n1\r\n$1\r\n2\r\n', '*2\r\n$1\r\n2\r\n$1\r\n1\r\n', ':2\r\n'],
  ])
  await client.command('HSET', 'h', 'g', 3, 'i', 4)
  for (let i = 0; i < 2; i++) {
    expect(await pipeline(client, ...reads)).toEqual([
      ...['$1\r\n1\r\n', '$1\r\n3\r\n', '*2\r\n$1\r\n1\r\n$1\r\n3\r\n', '*2\r\n$1\r\n3\r\n$1\r\n1\r\n', ':3\r\n'],
    ])
  }
})

test('names in any case, inline requests', async () => {
  await start(cachedConfig(redis))
  const client = await connect()
  await client.command('SET', 'k', 'v')
  expect(await hits(client, bare, 'k')).toBe(true)
  for (const bytes of ['get k\r\n', 'GeT k\r\n', '*2\r\n$3\r\ngEt\r\n$1\r\nk\r\n']) {
    expect(
      await executed(bare, async () => expect(String((await client.exchange(bytes))[0])).toBe('$1\r\nv\r\n')),
    ).toEqual({})
  }
})
