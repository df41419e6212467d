import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import Redlock from 'redlock'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** Locks of redlock, which takes, extends and gives back by scripts: two tenants that lock the same names. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('redlock', undefined)

const TENANTS = ['acme', 'beta'] as const
type Tenant = (typeof TENANTS)[number]
/** Milliseconds; longer than any test. */
const LONG = 600_000
const WORKERS = 5
const TIMES = { default: 10, long: 300, drill: 300 }[process.env.KEYWARD_TIER ?? 'default'] ?? 10

describe.each([
  ['ioredis 5', (port: number, password: string) => new Redis5({ port, password })],
  ['ioredis 6', (port: number, password: string) => new Redis6({ port, password }) as unknown as Redis5],
])('redlock by %s', (_, open) => {
  const clients: Redis5[] = []
  const errors: unknown[] = []

  function connect(tenant: Tenant): Redis5 {
    const client = open(stage.keyward.port, tenant)
    clients.push(client)
    return client
  }

  /** Locks through a connection of its own. `retryCount` -1: until it has the lock. */
  function locks(tenant: Tenant, retryCount: number): Redlock {
    const locker = new Redlock([connect(tenant)], { retryCount, retryDelay: 10, retryJitter: 5 })
    return locker.on('clientError', (error) => errors.push(error))
  }

  beforeEach(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  afterAll(async () => {
    for (const client of clients) client.disconnect()
    expect(errors).toEqual([])
  })

  test('a lock keeps out its tenant, and nobody else', async () => {
    const acme = [locks('acme', 1), locks('acme', 1)]
    const beta = locks('beta', 1)
    const held = await acme[0].lock('resource', LONG)
    await expect(acme[1].lock('resource', LONG)).rejects.toThrow(Redlock.LockError)
    const other = await beta.lock('resource', LONG)
    expect(await stage.rawKeys()).toEqual(expect.arrayContaining(['acme:resource', 'beta:resource']))
    expect(await stage.redis.cli('MGET', 'acme:resource', 'beta:resource')).toBe(`${held.value}\n${other.value}`)
    await held.unlock()
    await expect(held.unlock()).rejects.toThrow('Unable to fully release')
    await (await acme[1].lock('resource', LONG)).unlock()
    await expect(beta.lock('resource', LONG)).rejects.toThrow(Redlock.LockError)
    await other.unlock()
    expect((await stage.rawKeys()).filter((key) => !key.startsWith('keyward:'))).toEqual([])
  })

  test('extend, several resources at once, a lock that has run out', async () => {
    for (const tenant of TENANTS) {
      const [one, two] = [locks(tenant, 0), locks(tenant, -1)]
      const client = connect(tenant)
      const both = await one.lock(['a', 'b'], LONG)
      await both.extend(2 * LONG)
      for (const name of ['a', 'b']) expect(await client.pttl(name)).toBeGreaterThan(LONG)
      await expect(one.lock(['b', 'c'], LONG)).rejects.toThrow(Redlock.LockError)
      expect(await client.exists('a', 'b', 'c')).toBe(2)
      await both.unlock()
      expect(await client.exists('a', 'b', 'c')).toBe(0)
      const short = await one.lock('d', 1_000)
      const next = await two.lock('d', LONG)
      await expect(short.unlock()).rejects.toThrow('Unable to fully release')
      await expect(short.extend(LONG)).rejects.toThrow(Redlock.LockError)
      expect(await client.get('d')).toBe(next.value)
      await next.unlock()
    }
  })

  test('many who want it: one at a time of each tenant', { timeout: 300_000 }, async () => {
    const wrong: string[] = []
    const work = TENANTS.flatMap((tenant) => {
      let inside = 0
      return Array.from({ length: WORKERS }, async () => {
        const [locker, client] = [locks(tenant, -1), connect(tenant)]
        for (let i = 0; i < TIMES; i++) {
          const lock = await locker.lock('counter:lock', LONG)
          if (++inside !== 1) wrong.push(`${tenant}: ${inside} inside`)
          // Lost where two do it at once.
          await client.set('counter', Number(await client.get('counter')) + 1)
          inside--
          await lock.unlock()
        }
      })
    })
    await Promise.all(work)
    expect(wrong).toEqual([])
    const counters = await stage.redis.cli('MGET', 'acme:counter', 'beta:counter')
    expect(counters).toBe(`${WORKERS * TIMES}\n${WORKERS * TIMES}`)
    expect(await eventually(async () => !(await stage.rawKeys()).some((key) => key.endsWith(':lock')))).toBe(true)
  })
})
