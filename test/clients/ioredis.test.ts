import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** ioredis 5 and 6 with default settings, and with the other RESP version where there is one. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage({ redis: ['notify-keyspace-events KEA'] })
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('ioredis 5', undefined)
skip('ioredis 6', undefined)

const flavours = [
  ['ioredis 5', (port: number, password: string) => new Redis5({ port, password, maxRetriesPerRequest: 1 })],
  [
    'ioredis 6, default',
    (port: number, password: string) => new Redis6({ port, password, maxRetriesPerRequest: 1 }) as unknown as Redis5,
  ],
  [
    'ioredis 6, RESP2',
    (port: number, password: string) => new Redis6({ port, password, protocol: 2 }) as unknown as Redis5,
  ],
] as const

describe.each(flavours)('%s', (_, open) => {
  let acme: Redis5
  let beta: Redis5

  beforeAll(async () => {
    await stage.redis.cli('FLUSHALL')
    acme = open(stage.keyward.port, 'acme')
    beta = open(stage.keyward.port, 'beta')
    await Promise.all([acme.ping(), beta.ping()])
  })

  afterAll(async () => {
    await Promise.all([acme.quit(), beta.quit()])
  })

  test('strings, hashes, lists, sets, sorted sets', async () => {
    expect(await acme.set('s', 'value', 'EX', 1000)).toBe('OK')
    expect(await acme.get('s')).toBe('value')
    expect(await acme.getBuffer('s')).toEqual(Buffer.from('value'))
    expect(await acme.mget('s', 'none')).toEqual(['value', null])
    expect(await acme.hset('h', { a: '1', b: '2' })).toBe(2)
    expect(await acme.hgetall('h')).toEqual({ a: '1', b: '2' })
    expect(await acme.rpush('l', 'x', 'y')).toBe(2)
    expect(await acme.lrange('l', 0, -1)).toEqual(['x', 'y'])
    expect(await acme.sadd('set', 'a', 'b')).toBe(2)
    expect((await acme.smembers('set')).sort()).toEqual(['a', 'b'])
    expect(await acme.zadd('z', 1, 'one', 2.5, 'two')).toBe(2)
    expect(Number(await acme.zscore('z', 'two'))).toBe(2.5)
    expect((await acme.zrange('z', 0, -1, 'WITHSCORES')).map(String)).toEqual(['one', '1', 'two', '2.5'])
    expect(await acme.del('s', 'none')).toBe(1)
  })

  test('streams', async () => {
    await acme.xadd('st', '1-1', 'f', 'v')
    await acme.xgroup('CREATE', 'st', 'g', '0')
    const read = (await acme.xreadgroup('GROUP', 'g', 'c', 'STREAMS', 'st', '>')) as unknown
    expect(JSON.stringify(read)).toContain('"st"')
    expect(JSON.stringify(read)).not.toContain('acme:')
    expect(JSON.stringify(await acme.xread('STREAMS', 'st', '0'))).toContain('"1-1"')
    expect(await acme.xack('st', 'g', '1-1')).toBe(1)
  })

  test('pipelines and transactions', async () => {
    const piped = await acme.pipeline().set('p', 1).incr('p').get('p').lpush('p', 'wrong').exec()
    expect(piped?.slice(0, 3)).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ])
    expect(String(piped?.[3][0])).toContain('WRONGTYPE')
    expect(await acme.multi().set('m', 1).incr('m').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
    ])

    await acme.watch('w')
    expect(await acme.multi().set('w', 'mine').exec()).toEqual([[null, 'OK']])
    await acme.watch('w')
    const other = open(stage.keyward.port, 'acme')
    await other.set('w', 'theirs')
    expect(await acme.multi().set('w', 'mine').exec()).toBeNull()
    expect(await acme.get('w')).toBe('theirs')
    await other.quit()
  })

  test('blocking pops', async () => {
    const waiter = open(stage.keyward.port, 'acme')
    const popped = waiter.blpop('q', 20)
    await acme.rpush('q', 'x')
    expect(await popped).toEqual(['q', 'x'])
    await acme.zadd('zq', 1, 'm')
    expect((await waiter.bzpopmin('zq', 20))?.map(String)).toEqual(['zq', 'm', '1'])
    expect(await waiter.blpop('empty', 1)).toBeNull()
    await waiter.quit()
  })

  test('scanStream, keys, dbsize, randomkey, flushdb: one tenant only', async () => {
    await stage.redis.cli('FLUSHALL')
    const names = Array.from({ length: 50 }, (_, i) => `scan:${i}`).sort()
    await Promise.all(
      names.flatMap((name) => [acme.set(name, 'v'), beta.set(name, 'v'), beta.set(`beta ${name}`, 'v')]),
    )
    const found = new Set<string>()
    for await (const page of acme.scanStream({ match: 'scan:*', count: 7 })) for (const key of page) found.add(key)
    expect([...found].sort()).toEqual(names)
    expect((await acme.keys('*')).sort()).toEqual(names)
    expect([await acme.dbsize(), await beta.dbsize()]).toEqual([50, 100])
    expect(names).toContain(await acme.randomkey())
    expect(await acme.flushdb()).toBe('OK')
    expect([await acme.keys('*'), await acme.dbsize(), await beta.dbsize()]).toEqual([[], 0, 100])
  })

  test('pub/sub: channels, patterns, shard channels, bytes, counts', async () => {
    const sub = open(stage.keyward.port, 'acme')
    // On a connection of its own: the library does not count shard channels apart.
    const shard = open(stage.keyward.port, 'acme')
    const got: unknown[] = []
    sub.on('messageBuffer', (channel: Buffer, message: Buffer) => got.push([String(channel), message]))
    sub.on('pmessageBuffer', (pattern: Buffer, channel: Buffer, message: Buffer) =>
      got.push([String(pattern), String(channel), message]),
    )
    shard.on('smessageBuffer', (channel: Buffer, message: Buffer) => got.push([String(channel), message, 'shard']))
    const take = async (count: number) => {
      await eventually(() => got.length >= count)
      return got.splice(0)
    }
    const bytes = Buffer.from([0, 255, 13, 10, 36, 195])

    expect(await sub.subscribe('news', 'odd *?[\r\n]')).toBe(2)
    expect(await sub.psubscribe('n[e]w?')).toBe(3)
    expect(await shard.ssubscribe('news')).toBe(1)
    expect(await beta.publish('news', 'of another tenant')).toBe(0)
    expect(await acme.publish('news', bytes)).toBe(2)
    expect(await acme.publish('odd *?[\r\n]', '')).toBe(1)
    expect(await acme.publish('odd', 'nobody')).toBe(0)
    expect(await take(3)).toEqual([
      ['news', bytes],
      ['n[e]w?', 'news', bytes],
      ['odd *?[\r\n]', Buffer.alloc(0)],
    ])
    expect(await acme.spublish('news', bytes)).toBe(1)
    expect(await take(1)).toEqual([['news', bytes, 'shard']])

    expect(((await acme.pubsub('CHANNELS')) as string[]).sort()).toEqual(['news', 'odd *?[\r\n]'])
    expect(await acme.pubsub('NUMSUB', 'news', 'none')).toEqual(['news', 1, 'none', 0])
    expect(await acme.pubsub('NUMPAT')).toBe(1)
    expect(await acme.pubsub('SHARDNUMSUB', 'news')).toEqual(['news', 1])
    expect(await beta.pubsub('CHANNELS')).toEqual([])
    expect(await beta.pubsub('NUMSUB', 'news')).toEqual(['news', 0])

    expect(await sub.unsubscribe('news')).toBe(2)
    expect(await acme.publish('news', 'to the pattern')).toBe(1)
    expect(await take(1)).toEqual([['n[e]w?', 'news', Buffer.from('to the pattern')]])
    expect(await sub.punsubscribe('n[e]w?')).toBe(1)
    expect(await sub.unsubscribe('odd *?[\r\n]')).toBe(0)
    expect(await shard.sunsubscribe('news')).toBe(0)
    expect([await acme.publish('news', ''), await acme.spublish('news', '')]).toEqual([0, 0])
    expect([await sub.get('ordinary again'), await shard.get('ordinary again')]).toEqual([null, null])
    expect(got).toEqual([])
    await Promise.all([sub.quit(), shard.quit()])
  })

  test('keyspace notifications tell of the own keys', async () => {
    await stage.redis.cli('FLUSHALL')
    const sub = open(stage.keyward.port, 'acme')
    const got: string[] = []
    sub.on('message', (channel, message) => got.push(`${channel} ${message}`))
    sub.on('pmessage', (_, channel, message) => got.push(`${channel} ${message}`))
    await sub.psubscribe('__keyspace@0__:*')
    await sub.subscribe('__keyevent@0__:expired', '__keyevent@0__:set')
    await acme.set('n', 'v')
    await beta.set('n', 'v')
    await acme.lpush('list', 'x')
    await beta.del('n')
    await acme.del('n')
    await acme.set('short', 'v', 'PX', 1)
    await eventually(() => got.includes('__keyevent@0__:expired short'))
    expect(got).toEqual([
      '__keyspace@0__:n set',
      '__keyevent@0__:set n',
      '__keyspace@0__:list lpush',
      '__keyspace@0__:n del',
      '__keyspace@0__:short set',
      '__keyevent@0__:set short',
      '__keyspace@0__:short expire',
      '__keyspace@0__:short expired',
      '__keyevent@0__:expired short',
    ])
    await sub.quit()
  })

  test('two tenants at once', async () => {
    await stage.redis.cli('FLUSHALL')
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        Promise.all([acme.set(`k${i % 10}`, `acme ${i}`), beta.set(`k${i % 10}`, `beta ${i}`)]),
      ),
    )
    expect(await acme.get('k3')).toBe('acme 193')
    expect(await beta.get('k3')).toBe('beta 193')
    expect(await beta.exists('acme:k3')).toBe(0)
    const keys = await stage.rawKeys()
    expect(keys.length).toBe(20)
    expect(keys.every((key) => /^(acme|beta):k\d$/.test(key))).toBe(true)
  })

  test('it reconnects by itself when Keyward closes its connection', async () => {
    acme.on('error', () => {})
    const id = await acme.client('ID')
    stage.keyward.proxy.clients.forEach((_, client) => {
      if (client.session.id === Number(id)) client.cut()
    })
    expect(await acme.ping()).toBe('PONG')
    expect(await acme.client('ID')).not.toBe(id)
  })
})
