import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** node-redis with default settings, in both RESP versions. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
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
