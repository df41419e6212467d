import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Direction, FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The connection to the server is cut at every byte of a batch of three requests, on the way there and on the way back:
 * the counter always ends between what was confirmed and that plus what was left unknown, the client stays connected,
 * and its next request works.
 */
const UNKNOWN = '-OUTCOMEUNKNOWN sent but not confirmed: it may or may not have been executed\r\n'
/** Always nine digits, so that replies have one length. */
const START = 100_000_000

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(async () => {
  await redis?.stop()
})

interface Batch {
  readonly commands: readonly string[]
  /** What the three replies must be like, given the counter before and after. */
  check(replies: readonly string[], before: number, after: number): void
}

const BATCHES: readonly Batch[] = [
  {
    commands: ['INCR', 'INCR', 'INCR'],
    check(replies, before, after) {
      let highest = before
      for (const reply of replies.filter((text) => text !== UNKNOWN)) {
        const value = integer(reply)
        expect(value, 'every confirmed one has a number of its own, in order').toBeGreaterThan(highest)
        highest = value
      }
      const confirmed = replies.filter((reply) => reply !== UNKNOWN).length
      expect(after - before).toBeGreaterThanOrEqual(confirmed)
      expect(after - before).toBeLessThanOrEqual(3)
      expect(highest).toBeLessThanOrEqual(after)
      // Replies come in order, so what is confirmed is at the front.
      expect(replies.slice(0, confirmed)).not.toContain(UNKNOWN)
    },
  },
  {
    commands: ['GET', 'INCR', 'GET'],
    check([first, second, third], before, after) {
      // Sent again behind the INCR it would tell what comes later.
      if (first !== UNKNOWN) expect(bulk(first)).toBe(before)
      if (second !== UNKNOWN) expect(integer(second)).toBe(before + 1)
      expect([before, before + 1]).toContain(after)
      if (second !== UNKNOWN) expect(after).toBe(before + 1)
      // A read with no write behind it is never in doubt: it is sent again, and by then the INCR has happened or never will.
      expect(bulk(third)).toBe(after)
    },
  },
]

/** A client, its Keyward and the connection that is cut. */
interface Stage {
  readonly keyward: Keyward
  readonly fault: FaultProxy
  readonly client: RawClient
  /** Past Keyward. */
  readonly bare: RawClient
  readonly key: string
  readonly batch: Batch
  readonly bytes: Buffer
}

for (const batch of BATCHES) {
  for (const protocol of [2, 3]) {
    for (const how of ['RST', 'FIN'] as const) {
      const name = `${batch.commands.join(' ')}, RESP${protocol}, cut by ${how}`
      test.concurrent(name, { timeout: 300_000 }, async () => {
        // A short name, so that the prefix adds no digit to its length.
        const stage = await open(batch, protocol, `${batch.commands[0][0]}${protocol}${how[0]}`)
        const { fault, client, bytes } = stage
        const replies = Buffer.concat(await client.exchange(bytes, 3))
        const length = { request: bytes.length + 3 * 'acme:'.length, reply: replies.length }
        for (const direction of ['request', 'reply'] as const) {
          for (let at = 0; at < length[direction]; at++) await cutAt(stage, direction, at, how)
        }
        client.destroy()
        stage.bare.destroy()
        stage.keyward.stop()
        await fault.stop()
      })
    }
  }
}

async function open(batch: Batch, protocol: number, key: string): Promise<Stage> {
  const fault = await FaultProxy.start({ port: redis.port })
  // One lane, so that a batch is on one connection.
  const keyward = await startKeyward(configFor(fault, {}, { lanes: 1 }))
  const client = await keyward.connect({ password: 'acme' })
  if (protocol === 3) await client.command('HELLO', 3)
  const bare = await RawClient.connect({ port: redis.port })
  await bare.command('SET', `acme:${key}`, START)
  const bytes = Buffer.concat(batch.commands.map((command) => request(command, key)))
  return { keyward, fault, client, bare, key, batch, bytes }
}

async function cutAt(stage: Stage, direction: Direction, at: number, how: 'RST' | 'FIN'): Promise<void> {
  const { fault, client, key, batch, bytes } = stage
  const before = await counter(stage)
  const { cuts } = fault
  fault.cutFrom(`\r\nacme:${key}\r\n`, direction, at, how)
  const replies = (await client.exchange(bytes, 3)).map(String)
  const where = `cut after ${at} bytes of the ${direction}: ${JSON.stringify(replies)}`
  expect(fault.cuts, where).toBe(cuts + 1)
  // The next request of the same client works; whatever was on its way was executed before it, or never will be.
  expect(await client.command('APPEND', `${key} next`, ''), where).toBe(':0\r\n')
  const after = await counter(stage)
  try {
    batch.check(replies, before, after)
  } catch (error) {
    throw new Error(`${where}, counter from ${before} to ${after}`, { cause: error })
  }
}

async function counter({ bare, key }: Stage): Promise<number> {
  return bulk(await bare.command('GET', `acme:${key}`))
}

function bulk(reply: string): number {
  expect(reply).toMatch(/^\$9\r\n\d{9}\r\n$/)
  return Number(reply.slice(4, -2))
}

function integer(reply: string): number {
  expect(reply).toMatch(/^:\d{9}\r\n$/)
  return Number(reply.slice(1, -2))
}
