import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import {
  BurstyRateLimiter,
  RateLimiterQueue,
  RateLimiterRedis,
  type RateLimiterRes,
  RateLimiterUnion,
} from 'rate-limiter-flexible'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** Limits of rate-limiter-flexible, counted by a script: two tenants with the same limits and the same users. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('rate-limiter-flexible', undefined)

const TENANTS = ['acme', 'beta'] as const
/** Seconds; no window ends while a test runs. */
const HOUR = 3600

interface Connection {
  readonly options: { readonly storeClient: unknown; readonly useRedisPackage?: boolean }
  close(): unknown
}

const byIoredis = (client: { ping(): Promise<string>; disconnect(): void }): Connection => ({
  options: { storeClient: client },
  close: () => client.disconnect(),
})

const flavours: readonly (readonly [string, (password: string) => Promise<Connection>])[] = [
  ['ioredis 5', async (password) => byIoredis(new Redis5({ port: stage.keyward.port, password }))],
  ['ioredis 6', async (password) => byIoredis(new Redis6({ port: stage.keyward.port, password }))],
  [
    'node-redis',
    async (password) => {
      const client = createClient({ url: `redis://:${password}@127.0.0.1:${stage.keyward.port}` })
      client.on('error', () => {})
      await client.connect()
      return { options: { storeClient: client, useRedisPackage: true }, close: () => client.close() }
    },
  ],
]

/** What was let through, and what was not. */
const settled = async (asked: readonly Promise<RateLimiterRes>[]) => {
  const answers = await Promise.allSettled(asked)
  for (const answer of answers) {
    // Refusals are no errors, but what is left.
    if (answer.status === 'rejected') expect(answer.reason).not.toBeInstanceOf(Error)
  }
  return answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : (answer.reason as RateLimiterRes)))
}

const refused = (asked: Promise<unknown>) =>
  asked.then(
    () => {
      throw new Error('let through')
    },
    (reason: RateLimiterRes) => {
      if (reason instanceof Error) throw reason
      return reason
    },
  )

describe.each(flavours)('rate-limiter-flexible by %s', (_, connect) => {
  const connections: Connection[] = []
  /** Two processes of each tenant. */
  const of: Record<(typeof TENANTS)[number], Connection[]> = { acme: [], beta: [] }

  beforeAll(async () => {
    for (const tenant of TENANTS) {
      for (let i = 0; i < 2; i++) of[tenant].push(await connect(tenant))
      connections.push(...of[tenant])
    }
  })

  beforeEach(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  afterAll(async () => {
    for (const connection of connections) await connection.close()
  })

  test('fifty at once, from two processes: as many points as there are, told one by one', async () => {
    await Promise.all(
      TENANTS.map(async (tenant) => {
        const limiters = of[tenant].map(
          ({ options }) => new RateLimiterRedis({ ...options, points: 20, duration: HOUR }),
        )
        const answers = await settled(Array.from({ length: 50 }, (_, i) => limiters[i % 2].consume('user')))
        const consumed = answers.map(({ consumedPoints }) => consumedPoints).sort((a, b) => a - b)
        expect(consumed).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
        expect(answers.filter(({ remainingPoints }) => remainingPoints === 0)).toHaveLength(31)
        expect(answers.filter(({ isFirstInDuration }) => isFirstInDuration)).toHaveLength(1)
        for (const { msBeforeNext } of answers) {
          expect(msBeforeNext).toBeGreaterThan((HOUR - 600) * 1000)
          expect(msBeforeNext).toBeLessThanOrEqual(HOUR * 1000)
        }
      }),
    )
    const raw = (await stage.rawKeys()).filter((key) => !key.startsWith('keyward:'))
    expect(raw).toEqual(TENANTS.map((tenant) => `${tenant}:rlflx:user`))
  })

  test('penalty, reward, block, set, get and delete', async () => {
    for (const tenant of TENANTS) {
      const [one, two] = of[tenant].map(
        ({ options }) => new RateLimiterRedis({ ...options, points: 5, duration: HOUR }),
      )
      expect(await one.get('u')).toBeNull()
      await one.consume('u', 2)
      expect(await two.penalty('u', 2)).toMatchObject({ consumedPoints: 4, remainingPoints: 1 })
      expect(await refused(one.consume('u', 2))).toMatchObject({ consumedPoints: 6, remainingPoints: 0 })
      expect(await two.reward('u', 3)).toMatchObject({ consumedPoints: 3, remainingPoints: 2 })
      expect(await one.get('u')).toMatchObject({ consumedPoints: 3, remainingPoints: 2 })
      await one.set('u', 1, HOUR)
      expect(await two.consume('u')).toMatchObject({ consumedPoints: 2, remainingPoints: 3 })
      await two.block('u', 2 * HOUR)
      const blocked = await refused(one.consume('u'))
      expect(blocked.msBeforeNext).toBeGreaterThan(HOUR * 1000)
      expect(await one.delete('u')).toBe(true)
      expect(await two.consume('u')).toMatchObject({ consumedPoints: 1, isFirstInDuration: true })
    }
  })

  test('blocked for longer once the points are used up; several limits in one; a burst on top', async () => {
    for (const tenant of TENANTS) {
      const [{ options }] = of[tenant]
      const make = (keyPrefix: string, points: number, more = {}) =>
        new RateLimiterRedis({ ...options, keyPrefix, points, duration: HOUR, ...more })
      const strict = make('strict', 1, { blockDuration: 3 * HOUR })
      await strict.consume('u')
      expect((await refused(strict.consume('u'))).msBeforeNext).toBe(3 * HOUR * 1000)
      const union = new RateLimiterUnion(make('few', 1), make('many', 9))
      const both = await union.consume('u')
      expect([both.few.remainingPoints, both.many.remainingPoints]).toEqual([0, 8])
      expect(await refused(union.consume('u'))).toMatchObject({ few: { remainingPoints: 0 } })
      const bursty = new BurstyRateLimiter(make('base', 1), make('burst', 2))
      for (let i = 0; i < 3; i++) await bursty.consume('u')
      await refused(bursty.consume('u'))
    }
  })

  test('points come back at the end of the window, and who queues up is let through then', async () => {
    await Promise.all(
      TENANTS.map(async (tenant) => {
        const [{ options }] = of[tenant]
        const limiter = new RateLimiterRedis({ ...options, points: 1, duration: 1 })
        expect(
          await eventually(() =>
            limiter.consume('u').then(
              () => false,
              () => true,
            ),
          ),
        ).toBe(true)
        expect(
          await eventually(() =>
            limiter.consume('u').then(
              () => true,
              () => false,
            ),
          ),
        ).toBe(true)
        const queue = new RateLimiterQueue(limiter)
        // One a second: the second of these has waited.
        const remaining = await Promise.all([queue.removeTokens(1), queue.removeTokens(1)])
        expect(remaining).toEqual([0, 0])
      }),
    )
    expect(await eventually(async () => !(await stage.rawKeys()).some((key) => key.includes(':rlflx:')))).toBe(true)
  })
})
