import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** node-redis with default settings, in both RESP versions. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage({ redis: ['notify-keyspace-events KEA'] })
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('node-redis 6', undefined)

const open = async (password: string, RESP: 2 | 3 | undefined) => {
  const client = createClient({
    url: `redis://:${password}@127.0.0.1:${stage.keyward.port}`,
    ...(RESP === undefined ? {} : { RESP }),
  })
  client.on('error', () => {})
  await client.connect()
  return client
}
type Client = Awaited<ReturnType<typeof open>>

describe.each([
  ['default', undefined],
  ['RESP2', 2],
  ['RESP3', 3],
] as const)('node-redis, %s', (_, RESP) => {
  let acme: Client
  let beta: Client

  beforeAll(async () => {
    await stage.redis.cli('FLUSHALL')
    acme = await open('acme', RESP)
    beta = await open('beta', RESP)
  })

  afterAll(async () => {
    await Promise.all([acme.close(), beta.close()])
  })

  test('strings, hashes, lists, sets, sorted sets', async () => {
    expect(await acme.set('s', 'value', { EX: 1000 })).toBe('OK')
    expect(await acme.get('s')).toBe('value')
    expect(await acme.mGet(['s', 'none'])).toEqual(['value', null])
    expect(await acme.hSet('h', { a: '1', b: '2' })).toBe(2)
    expect({ ...(await acme.hGetAll('h')) }).toEqual({ a: '1', b: '2' })
    expect(await acme.rPush('l', ['x', 'y'])).toBe(2)
    expect(await acme.lRange('l', 0, -1)).toEqual(['x', 'y'])
    expect(await acme.sAdd('set', ['a', 'b'])).toBe(2)
    expect([...(await acme.sMembers('set'))].sort()).toEqual(['a', 'b'])
    await acme.zAdd('z', [
      { score: 1, value: 'one' },
      { score: 2.5, value: 'two' },
    ])
    expect(await acme.zScore('z', 'two')).toBe(2.5)
    expect(await acme.zRangeWithScores('z', 0, -1)).toEqual([
      { value: 'one', score: 1 },
      { value: 'two', score: 2.5 },
    ])
    expect(await acme.del(['s', 'none'])).toBe(1)
  })

  test('streams', async () => {
    await acme.xAdd('st', '1-1', { f: 'v' })
    await acme.xGroupCreate('st', 'g', '0')
    const read = JSON.stringify(await acme.xReadGroup('g', 'c', { key: 'st', id: '>' }))
    expect(read).toContain('1-1')
    expect(read).toContain('st')
    expect(read).not.toContain('acme:')
    expect(await acme.xAck('st', 'g', '1-1')).toBe(1)
  })

  test('pipelines and transactions', async () => {
    expect(await Promise.all([acme.set('p', '1'), acme.incr('p'), acme.get('p')])).toEqual(['OK', 2, '2'])
    expect(await acme.multi().set('m', '1').incr('m').exec()).toEqual(['OK', 2])
    expect(await acme.multi().set('m', '1').incr('m').execAsPipeline()).toEqual(['OK', 2])
    const watcher = await open('acme', RESP)
    await watcher.watch('w')
    expect(await watcher.multi().set('w', 'mine').exec()).toEqual(['OK'])
    await watcher.watch('w')
    await acme.set('w', 'theirs')
    await expect(watcher.multi().set('w', 'mine').exec()).rejects.toThrow()
    expect(await watcher.get('w')).toBe('theirs')
    await watcher.close()
  })

  test('blocking pops', async () => {
    const waiter = await open('acme', RESP)
    const popped = waiter.blPop('q', 20)
    await acme.rPush('q', 'x')
    expect({ ...(await popped) }).toEqual({ key: 'q', element: 'x' })
    await acme.zAdd('zq', { score: 1, value: 'm' })
    expect({ ...(await waiter.bzPopMin('zq', 20)) }).toEqual({ key: 'zq', value: 'm', score: 1 })
    expect(await waiter.blPop('empty', 1)).toBeNull()
    await waiter.close()
  })

  test('pub/sub: channels, patterns, shard channels, bytes, counts', async () => {
    const sub = await open('acme', RESP)
    const got: unknown[] = []
    const take = async (count: number) => {
      await eventually(() => got.length >= count)
      return got.splice(0)
    }
    const bytes = Buffer.from([0, 255, 13, 10, 36, 195])
    const onNews = (message: Buffer, channel: Buffer) => void got.push([String(channel), message])
    const onPattern = (message: Buffer, channel: Buffer) => void got.push(['n[e]w?', String(channel), message])
    const onShard = (message: Buffer, channel: Buffer) => void got.push([String(channel), message, 'shard'])

    await sub.subscribe(['news', 'odd *?[\r\n]'], onNews, true)
    await sub.pSubscribe('n[e]w?', onPattern, true)
    await sub.sSubscribe('news', onShard, true)
    expect(await beta.publish('news', 'of another tenant')).toBe(0)
    expect(await acme.publish('news', bytes)).toBe(2)
    expect(await acme.publish('odd *?[\r\n]', '')).toBe(1)
    expect(await acme.publish('odd', 'nobody')).toBe(0)
    expect(await acme.sPublish('news', bytes)).toBe(1)
    expect(await take(4)).toEqual([
      ['news', bytes],
      ['n[e]w?', 'news', bytes],
      ['odd *?[\r\n]', Buffer.alloc(0)],
      ['news', bytes, 'shard'],
    ])

    expect((await acme.pubSubChannels()).sort()).toEqual(['news', 'odd *?[\r\n]'])
    expect({ ...(await acme.pubSubNumSub(['news', 'none'])) }).toEqual({ news: 1, none: 0 })
    expect(await acme.pubSubNumPat()).toBe(1)
    expect(await acme.pubSubShardChannels()).toEqual(['news'])
    expect(await beta.pubSubChannels()).toEqual([])

    // In RESP3 messages are pushes, and what the subscriber asks is answered between them.
    if (RESP !== 2) {
      const asked = Promise.all([
        sub.set('asked', '1'),
        sub.incr('asked'),
        sub.publish('news', 'to myself'),
        sub.get('asked'),
      ])
      expect(await asked).toEqual(['OK', 2, 2, '2'])
      expect(await take(2)).toEqual([
        ['news', Buffer.from('to myself')],
        ['n[e]w?', 'news', Buffer.from('to myself')],
      ])
    }

    await sub.unsubscribe('news')
    expect(await acme.publish('news', 'to the pattern')).toBe(1)
    expect(await take(1)).toEqual([['n[e]w?', 'news', Buffer.from('to the pattern')]])
    await sub.unsubscribe()
    await sub.pUnsubscribe()
    await sub.sUnsubscribe()
    expect([await acme.publish('news', ''), await acme.sPublish('news', '')]).toEqual([0, 0])
    expect(await sub.get('ordinary again')).toBeNull()
    expect(got).toEqual([])
    await sub.close()
  })

  test('keyspace notifications tell of the own keys', async () => {
    await stage.redis.cli('FLUSHALL')
    const sub = await open('acme', RESP)
    const got: string[] = []
    const listen = (message: string, channel: string) => void got.push(`${channel} ${message}`)
    await sub.pSubscribe('__keyspace@0__:*', listen)
    await sub.subscribe(['__keyevent@0__:expired', '__keyevent@0__:set'], listen)
    await acme.set('n', 'v')
    await beta.set('n', 'v')
    await acme.lPush('list', 'x')
    await beta.del('n')
    await acme.del('n')
    await acme.set('short', 'v', { PX: 1 })
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
    await sub.close()
  })

  test('two tenants at once', async () => {
    await stage.redis.cli('FLUSHALL')
    await Promise.all(
      Array.from({ length: 200 }, (__, i) =>
        Promise.all([acme.set(`k${i % 10}`, `acme ${i}`), beta.set(`k${i % 10}`, `beta ${i}`)]),
      ),
    )
    expect(await acme.get('k3')).toBe('acme 193')
    expect(await beta.get('k3')).toBe('beta 193')
    expect(await beta.exists('acme:k3')).toBe(0)
    expect((await stage.rawKeys()).every((key) => /^(acme|beta):k\d$/.test(key))).toBe(true)
  })
})
