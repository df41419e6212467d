import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** ioredis 5 and 6 with default settings, and with the other RESP version where there is one. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
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
