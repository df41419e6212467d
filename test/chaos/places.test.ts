import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../differential/random.ts'
import { FaultProxy, type Faults } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * Clients that come, work and leave, an upstream that is cut, stalls and comes back, time-outs, and a drain, in random
 * order: at the end every exchange was answered or dropped with its client, and every queue is empty. What clients
 * were told is true: a confirmed request was executed once, an unconfirmed one at most once, in the order sent.
 */
const { rounds, seconds } = {
  default: { rounds: 3, seconds: 4 },
  long: { rounds: 10, seconds: 30 },
  drill: { rounds: 12, seconds: 45 },
}[process.env.KEYWARD_TIER ?? 'default'] ?? { rounds: 3, seconds: 4 }
const SEED = process.env.KEYWARD_SEED ?? String(Math.floor(Math.random() * 1e9))
const CLIENTS = 24

let redis: RedisServer
let bare: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

test.each(Array.from({ length: rounds }, (_, i) => [`${SEED}-${i}`]))(
  'seed %s',
  { timeout: 120_000 + seconds * 3000 },
  async (seed) => {
    const random = new Random(seed)
    await bare.command('FLUSHALL')
    const fault = await FaultProxy.start({ port: redis.port }, () => random.next())
    const keyward = await startKeyward(
      configFor(
        fault,
        { shutdown: { deadline: '3s' } },
        {
          timeouts: { request: '400ms', connect: '400ms' },
          hold: { time: '900ms', memory: '256KiB' },
          bulk: '8KiB',
          pins: { max: 12, perTenant: 12, warm: 2 },
        },
      ),
    )
    const actors = Array.from(
      { length: CLIENTS },
      (_, n) => new Actor(keyward, `${seed}:${n}`, new Random(`${seed} ${n}`)),
    )
    const until = Date.now() + seconds * 1000
    const work = actors.map((actor) => actor.run(until))
    while (Date.now() < until) {
      fault.faults = random.pick<() => Faults>([
        () => ({}),
        () => ({}),
        () => ({ latency: random.below(30), jitter: random.below(30) }),
        () => ({ trickle: 1 + random.below(50) }),
        () => ({ cut: { direction: random.pick(['request', 'reply'] as const), after: random.below(12_000) } }),
        () => ({ stall: random.pick(['request', 'reply', 'both'] as const) }),
        () => ({ blackHole: random.pick(['request', 'reply', 'both'] as const) }),
        () => ({ refuse: true }),
      ])()
      fault.resume()
      if (random.chance(0.3) || fault.faults.cut !== undefined) fault.reset()
      else if (random.chance(0.1)) fault.close()
      await new Promise((resolve) => setTimeout(resolve, 20 + random.below(600)))
    }
    fault.heal()
    await Promise.all(work)
    const asked = actors.reduce((sum, actor) => sum + actor.asked, 0)
    const unsure = actors.reduce((sum, actor) => sum + actor.unsure, 0)
    const lives = actors.reduce((sum, actor) => sum + actor.lives, 0)
    console.log(
      `chaos ${seed}: ${asked} requests, ${unsure} not confirmed, ${lives} client connections, ${fault.accepted} upstream connections, ${fault.cuts} cuts`,
    )

    // Those that are still there get an answer to everything.
    expect(
      await eventually(() => {
        const now = places(keyward)
        return now.unanswered + now.abandoned + now.sent + now.held + now.barrier === 0
      }),
    ).toBe(true)
    for (const actor of actors) await actor.audit(bare)

    // The last requests meet a drain; blocked ones are cut by it.
    const draining = keyward.proxy.drain()
    await draining
    for (const actor of actors) await actor.client?.closed()
    expect(await leftovers(keyward)).toEqual({})
    expect(keyward.log.filter(({ level }) => level >= 50)).toEqual([])
    keyward.stop()
    await fault.stop()
  },
)

type Check = (reply: string) => void

/** One client after another, each raising counters of its own in different ways. */
class Actor {
  client: RawClient | undefined
  /** Replies that are due, oldest first. */
  private due: Check[] = []
  asked = 0
  unsure = 0
  lives = 0
  private confirmed = 0
  private maybe = 0
  private highest = 0
  private readonly keyward: Keyward
  private readonly key: string
  private readonly random: Random

  constructor(keyward: Keyward, key: string, random: Random) {
    this.keyward = keyward
    this.key = key
    this.random = random
  }

  async run(until: number): Promise<void> {
    while (Date.now() < until) {
      this.client = await this.keyward.connect({ password: 'acme' })
      this.lives++
      const days = 1 + this.random.below(20)
      for (let day = 0; day < days && Date.now() < until; day++) {
        this.send()
        if (this.random.chance(0.7)) await this.receive()
        if (this.random.chance(0.2)) await new Promise((resolve) => setTimeout(resolve, this.random.below(50)))
      }
      if (Date.now() >= until) break
      await this.leave()
    }
    await this.receive()
  }

  /** Every confirmed raise is in the counter, every other at most once. */
  async audit(server: RawClient): Promise<void> {
    const value = Number(/\r\n(\d+)\r\n/.exec(await server.command('GET', `acme:n:${this.key}`))?.[1] ?? 0)
    expect(value, this.key).toBeGreaterThanOrEqual(this.confirmed)
    expect(value, this.key).toBeLessThanOrEqual(this.confirmed + this.maybe)
  }

  private send(): void {
    const { random, key } = this
    const bytes: Buffer[] = []
    const add = (check: Check, ...words: (string | number)[]) => {
      bytes.push(request(...words))
      this.due.push(check)
      this.asked++
    }
    for (let n = 1 + random.below(8); n > 0; n--) {
      const mark = `${key} ${this.asked}`
      switch (random.below(9)) {
        case 0:
        case 1:
        case 2:
          this.maybe++
          add((reply) => this.raised(reply), 'INCR', `n:${key}`)
          break
        case 3:
          add((reply) => expect(reply).toBe(`$${mark.length}\r\n${mark}\r\n`), 'ECHO', mark)
          break
        case 4:
          add((reply) => this.unlessError(reply, /^\$/), 'GET', `n:${key}`)
          break
        case 5:
          add((reply) => this.unlessError(reply, /^\+OK/), 'SET', `big:${key}`, 'x'.repeat(random.below(20_000)))
          add((reply) => this.unlessError(reply, /^\$/), 'GET', `big:${key}`)
          break
        case 6:
          this.maybe++
          add((reply) => this.unlessError(reply, /^\+OK/), 'MULTI')
          add((reply) => this.unlessError(reply, /^\+QUEUED/), 'INCR', `n:${key}`)
          add((reply) => this.executed(reply), 'EXEC')
          break
        case 7:
          add((reply) => this.unlessError(reply, /^\*/), 'BLPOP', `q:${key}`, '0.05')
          break
        case 8:
          add((reply) => this.unlessError(reply, /^:0/), 'WAIT', 0, 10)
          break
      }
    }
    this.client?.send(Buffer.concat(bytes))
  }

  private async receive(): Promise<void> {
    while (this.due.length > 0) {
      const reply = String(await (this.client as RawClient).reply())
      ;(this.due.shift() as Check)(reply)
    }
  }

  private async leave(): Promise<void> {
    const client = this.client as RawClient
    this.due = []
    this.client = undefined
    const how = this.random.below(4)
    if (how === 0) client.reset()
    else if (how === 1) client.destroy()
    else if (how === 2) {
      client.send(request('SET', 'half', 'x'.repeat(3000)).subarray(0, 1000))
      client.reset()
    } else await client.end()
  }

  private raised(reply: string): void {
    if (reply.startsWith('-')) {
      this.unlessError(reply, /^-/)
      // Neither UPSTREAMDOWN nor EXECABORT may have been executed.
      if (!reply.startsWith('-OUTCOMEUNKNOWN')) this.maybe--
      return
    }
    const value = Number(reply.slice(1))
    expect(value, 'a counter only rises, in the order of requests').toBeGreaterThan(this.highest)
    this.highest = value
    this.confirmed++
    this.maybe--
  }

  private executed(reply: string): void {
    const value = /^\*1\r\n:(\d+)\r\n$/.exec(reply)?.[1]
    if (value === undefined) this.raised(reply)
    else this.raised(`:${value}`)
  }

  private unlessError(reply: string, pattern: RegExp): void {
    if (
      /^-(UPSTREAMDOWN not sent|UPSTREAMTIMEOUT|OUTCOMEUNKNOWN|EXECABORT|ERR max number of clients|ERR EXEC without MULTI)/.test(
        reply,
      )
    )
      this.unsure++
    else expect(reply).toMatch(pattern)
  }
}
