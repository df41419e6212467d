import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** No entry outlives its key, nor what its rule says. */
let redis: RedisServer
let bare: RawClient
let keyward: Keyward
let client: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  client?.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
  await bare.command('DEBUG', 'SET-ACTIVE-EXPIRE', 1)
  await bare.command('FLUSHALL')
})

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

async function start(rule: object = {}): Promise<void> {
  keyward = await startKeyward(cachedConfig(redis, { cache: { rules: [{ ...ALL_KEYS, ...rule }] } }))
  client = await keyward.connect({ password: 'acme' })
  expect(await hits(client, bare)).toBe(true)
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * Asks without a pause until the reply changes. Gives the first and the second reply, how often the server was asked for it,
 * and the latest moment at which the first one was still asked for, by performance.now().
 */
async function untilItChanges(
  ...words: string[]
): Promise<{ first: string; second: string; asked: number; upstream: number }> {
  const first = await client.command(...words)
  let asked = performance.now()
  let second = first
  const seen = await executed(bare, async () => {
    const until = performance.now() + 15_000
    while (second === first && performance.now() < until) {
      const at = performance.now()
      second = await client.command(...words)
      if (second === first) asked = at
      await sleep(1)
    }
  })
  return { first, second, asked, upstream: seen[words[0].toLowerCase()] ?? 0 }
}

/** Asks until there is no such key any more. The latest moment at which it was still told what had been there; 0: it was gone at once. */
async function lastTold(key: string): Promise<number> {
  let told = 0
  const gone = async () => {
    const at = performance.now()
    const reply = await client.command('GET', key)
    if (reply !== '$-1\r\n') told = at
    return reply === '$-1\r\n'
  }
  expect(await eventually(gone)).toBe(true)
  return told
}

test.each([
  ['PSETEX', ['PSETEX', 'acme:k', '1200', 'v']],
  ['SET EX', ['SET', 'acme:k', 'v', 'EX', '1']],
  ['PEXPIRE', ['SET', 'acme:k', 'v'], ['PEXPIRE', 'acme:k', '1200']],
] as const)('the key has a time to live: %s', async (_, ...commands) => {
  // Without this the server would tell that the key is gone: it must be known without that.
  await bare.command('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await start()
  for (let round = 0; round < 2; round++) {
    for (const words of commands) await bare.command(...words)
    const life = Number((await bare.command('PTTL', 'acme:k')).slice(1))
    const ends = performance.now() + life
    // The key was missing, and that was remembered.
    expect(await eventually(async () => (await client.command('GET', 'k')) === '$1\r\nv\r\n', 1000)).toBe(true)
    const { first, second, asked, upstream } = await untilItChanges('GET', 'k')
    expect([first, second]).toEqual(['$1\r\nv\r\n', '$-1\r\n'])
    // PTTL was asked a moment before `ends` was taken, and is rounded.
    expect(asked).toBeLessThanOrEqual(ends + 2)
    expect(upstream, 'it came from memory').toBeLessThan(10)
  }
})

test.each([
  [['HGETALL', 'h'], ['HSET', 'acme:h', 'f', '1'], 'acme:h', '*2\r\n$1\r\nf\r\n$1\r\n1\r\n', '*0\r\n'],
  [['STRLEN', 'a'], ['SET', 'acme:a', '1'], 'acme:a', ':1\r\n', ':0\r\n'],
  [['EXISTS', 'a'], ['SET', 'acme:a', '1'], 'acme:a', ':1\r\n', ':0\r\n'],
  [
    ['MGET', 'b', 'a'],
    ['MSET', 'acme:a', '1', 'acme:b', '2'],
    'acme:a',
    '*2\r\n$1\r\n2\r\n$1\r\n1\r\n',
    '*2\r\n$1\r\n2\r\n$-1\r\n',
  ],
] as const)('what %j tells lives no longer than its key', async (words, write, raw, before, after) => {
  await bare.command('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await start()
  await bare.command(...write)
  await bare.command('PEXPIRE', raw, 1500)
  const ends = performance.now() + 1500
  const { first, second, asked, upstream } = await untilItChanges(...words)
  expect([first, second]).toEqual([before, after])
  expect(asked).toBeLessThanOrEqual(ends + 2)
  expect(upstream, 'it came from memory').toBeLessThan(10)
})

test('a read in a pipeline leaves nothing that outlives the key', async () => {
  await bare.command('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await start()
  await bare.command('SET', 'acme:k', 'v', 'PX', 1500)
  const ends = performance.now() + 1500
  // ECHO makes the reads behind it go upstream by themselves.
  await client.exchange(Buffer.concat([request('GET', 'other'), request('GET', 'k'), request('GET', 'k')]), 3)
  const { second, asked } = await untilItChanges('GET', 'k')
  expect(second).toBe('$-1\r\n')
  expect(asked).toBeLessThanOrEqual(ends + 2)
})

test('a life that was made shorter or longer, by others and by oneself', async () => {
  await bare.command('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
  await start()
  await client.command('SET', 'k', 'v', 'PX', 3_600_000)
  expect(await hits(client, bare, 'k')).toBe(true)
  expect(await client.command('PEXPIRE', 'k', 300)).toBe(':1\r\n')
  await lastTold('k')

  await client.command('SET', 'k', 'v', 'PX', 1000)
  const wouldEnd = performance.now() + 1000
  expect(await client.command('PERSIST', 'k')).toBe(':1\r\n')
  while (performance.now() < wouldEnd + 100) expect(await client.command('GET', 'k')).toBe('$1\r\nv\r\n')

  expect(await hits(client, bare, 'k')).toBe(true)
  await bare.command('PEXPIRE', 'acme:k', 1)
  const ended = performance.now()
  expect((await lastTold('k')) - ended).toBeLessThan(MAX_STALENESS)
})

test('maxAge: asked again behind it, and not before, within the jitter', async () => {
  await start({ maxAge: '1s', negative: '1s', jitter: '50%' })
  await client.command('SET', 'k', 'v')
  const seen = await executed(bare, async () => {
    const until = performance.now() + 4000
    while (performance.now() < until) {
      expect(await client.command('GET', 'k')).toBe('$1\r\nv\r\n')
      await sleep(2)
    }
  })
  // Every 0.5 to 1 s.
  expect(seen.get).toBeGreaterThanOrEqual(3)
  expect(seen.get).toBeLessThanOrEqual(10)
  expect(seen.pttl).toBe(seen.get)
})

test('negative: that a key is missing is remembered for so long, and not once it is there', async () => {
  await start({ negative: '600ms' })
  const seen = await executed(bare, async () => {
    const until = performance.now() + 2500
    while (performance.now() < until) {
      expect(await client.command('GET', 'gone')).toBe('$-1\r\n')
      await sleep(2)
    }
  })
  expect(seen.get).toBeGreaterThanOrEqual(3)
  expect(seen.get).toBeLessThanOrEqual(12)
  await client.command('SET', 'gone', 1)
  expect(await client.command('GET', 'gone')).toBe('$1\r\n1\r\n')
  await client.command('DEL', 'gone')
  expect(await client.command('GET', 'gone')).toBe('$-1\r\n')
  await bare.command('SET', 'acme:gone', 2)
  expect(await eventually(async () => (await client.command('GET', 'gone')) === '$1\r\n2\r\n', MAX_STALENESS)).toBe(
    true,
  )
})

test('without negative, a missing key is asked for every time', async () => {
  keyward = await startKeyward(cachedConfig(redis, { cache: { rules: [{ keys: '*', maxAge: '1h' }] } }))
  client = await keyward.connect({ password: 'acme' })
  await client.command('SET', 'warm', 1)
  expect(await hits(client, bare)).toBe(true)
  for (const words of [
    ['GET', 'gone'],
    ['HGETALL', 'gone'],
    ['EXISTS', 'gone'],
    ['MGET', 'gone', 'warm'],
  ]) {
    const seen = await executed(bare, async () => {
      for (let i = 0; i < 5; i++) await client.command(...words)
    })
    expect(seen[words[0].toLowerCase()], words[0]).toBe(5)
  }
})
