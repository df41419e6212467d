import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { RateLimiter } from './001-rate-limit/rate-limiter.ts'

/**
 * Two APIs that limit requests by API key and by address, with the same names for both, each in two processes behind a
 * Keyward of its own: what is told, what is let through, and whose it is.
 */
const OWNERS = ['acme', 'beta'] as const
type Owner = (typeof OWNERS)[number]
/** Seconds; nothing comes back while a test runs. */
const HOUR = 3600

let redis: RedisServer
let keywards: Keyward[] = []
const clients: Redis[] = []
/** By owner, those of its two processes. */
let limiters: Record<Owner, [RateLimiter, RateLimiter]>

beforeAll(async () => {
  redis = await startRedis()
  const tenant = (password: string) => ({
    upstream: 'main',
    databases: 5,
    users: { default: { password } },
    extensions: ['throttle'],
  })
  const config = configFor(redis, { tenants: { acme: tenant('acme'), beta: tenant('beta') } })
  keywards = await Promise.all([startKeyward(config), startKeyward(config)])
  const open = (owner: Owner, which: number): RateLimiter => {
    // Rate limits live in database 3.
    const client = new Redis({ port: keywards[which].port, password: owner, db: 3 })
    clients.push(client)
    return new RateLimiter(client)
  }
  limiters = { acme: [open('acme', 0), open('acme', 1)], beta: [open('beta', 0), open('beta', 1)] }
}, 60_000)

beforeEach(async () => {
  await redis.cli('FLUSHALL')
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  for (const keyward of keywards) keyward.stop()
  await redis?.stop()
})

describe.each(OWNERS)('%s', (owner) => {
  test('limit, remaining and reset, request by request', async () => {
    const [limiter] = limiters[owner]
    const before = Math.floor(Date.now() / 1000)
    const told: unknown[] = []
    const resets: number[] = []
    for (let i = 0; i < 5; i++) {
      const { allowed, info } = await limiter.checkRateLimit('rl:key:k1', 3, HOUR)
      told.push([allowed, info.limit, info.remaining])
      resets.push(info.reset)
    }
    expect(told).toEqual([
      [true, 3, 2],
      [true, 3, 1],
      [true, 3, 0],
      [false, 3, 0],
      [false, 3, 0],
    ])
    // A third of the window for each that is used, and a second for rounding.
    const after = Math.floor(Date.now() / 1000)
    for (const [i, reset] of resets.entries()) {
      expect(reset).toBeGreaterThanOrEqual(before + (Math.min(i + 1, 3) * HOUR) / 3 - (after - before) - 1)
      expect(reset).toBeLessThanOrEqual(after + (Math.min(i + 1, 3) * HOUR) / 3 + 1)
    }
  })

  test('the status counts nothing', async () => {
    const [limiter] = limiters[owner]
    const status = () => limiter.getRateLimitStatus('rl:key:k1', 3, HOUR)
    expect(await status()).toEqual({ limit: 3, remaining: 3, current: 0, reset: 0 })
    for (const current of [1, 2, 3, 3]) {
      await limiter.checkRateLimit('rl:key:k1', 3, HOUR)
      for (let i = 0; i < 2; i++) expect(await status()).toMatchObject({ limit: 3, remaining: 3 - current, current })
    }
  })

  test('fifty at once, in two processes: as many as the limit says', async () => {
    const both = limiters[owner]
    const asked = Array.from({ length: 50 }, (_, i) => both[i % 2].checkRateLimit('rl:ip:10.0.0.1', 20, HOUR))
    const answers = await Promise.all(asked)
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(20)
    const remaining = answers.filter(({ allowed }) => allowed).map(({ info }) => info.remaining)
    expect(remaining.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  test('what is used comes back, and leaves nothing behind', { timeout: 60_000 }, async () => {
    const [limiter] = limiters[owner]
    const ask = () => limiter.checkRateLimit('rl:key:k2', 2, 2)
    expect(await eventually(async () => !(await ask()).allowed)).toBe(true)
    expect(await eventually(async () => (await ask()).allowed)).toBe(true)
    expect(await eventually(async () => (await redis.cli('DBSIZE')) === '0')).toBe(true)
  })
})

test('keys and addresses have limits of their own, and so do the two APIs', async () => {
  const names = ['rl:key:k1', 'rl:key:k2', 'rl:ip:10.0.0.1']
  for (const owner of OWNERS) {
    for (const name of names) {
      expect((await limiters[owner][0].checkRateLimit(name, 1, HOUR)).allowed).toBe(true)
      expect((await limiters[owner][1].checkRateLimit(name, 1, HOUR)).allowed).toBe(false)
    }
  }
  const raw = (await redis.cli('KEYS', '*')).split('\n')
  expect(raw.sort()).toEqual(OWNERS.flatMap((owner) => names.map((name) => `${owner}:3:${name}`)).sort())
})
