import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fuzz } from '../../../helpers/fuzz.ts'
import { type Asked, bulk, caching, type FakeClient, type Fetched, World } from './cache-world.ts'

/*
 * A server whose values are version numbers, with everything that can lie between it and the cache: each write, fetch and report is
 * sent, executed and heard of in steps of its own, and fast-check chooses their order. Nobody may read a version that is older than
 * one that this process had acknowledged when he asked, or than what had been written `maxStaleness` before.
 */

const KEYS = ['a', 'b']
const MAX_STALENESS = 1000

interface Write {
  readonly key: string
  /** undefined: somebody else's. */
  readonly asked: Asked | undefined
  version: number
}

interface Read {
  readonly key: string
  readonly asked: Asked
  /** No version below it may come. */
  readonly floor: number
  /** Of one that goes upstream itself: what the server said. */
  version: number
}

interface Fetch {
  readonly fetched: Fetched
  reply: string
}

class Model {
  readonly world = new World(caching())
  private readonly client: FakeClient
  private readonly versions = new Map<string, number>()
  /** When each version of each key was written. */
  private readonly history: { readonly key: string; readonly version: number; readonly at: number }[] = []
  /** The newest that its writer has been told of. */
  private readonly acknowledged = new Map<string, number>()
  private readonly writes: Write[] = []
  private readonly written: Write[] = []
  private readonly reads: Read[] = []
  private readonly executed: Read[] = []
  private readonly fetches: Fetch[] = []
  private readonly answers: Fetch[] = []
  /** What the feed will say: a key, or the time at which a heartbeat was sent. */
  private readonly reports: (string | number)[] = []
  private readonly waiting: Read[] = []
  readonly seen = { hits: 0, flights: 0, behind: 0 }

  constructor() {
    this.client = this.world.enter()
  }

  step(kind: number, choice: number): void {
    const key = KEYS[choice % KEYS.length]
    const steps: readonly (readonly [times: number, step: () => void])[] = [
      [6, () => this.read(key, true)],
      [2, () => this.read(key, false)],
      [2, () => this.writes.push({ key, asked: this.client.ask('SET', key, 'x'), version: 0 })],
      [1, () => this.execute({ key, asked: undefined, version: 0 })],
      [2, () => this.executeWrite(choice)],
      [2, () => this.acknowledge(choice)],
      [2, () => this.executeRead(choice)],
      [2, () => this.answerRead(choice)],
      [6, () => this.executeFetch()],
      [6, () => this.answerFetch()],
      [4, () => this.reports.push(this.world.clock.now)],
      [6, () => this.hear()],
      [3, () => (this.world.clock.now += choice * 5)],
      [1, () => this.loseFeed(choice)],
    ]
    const drawn = steps.flatMap(([times, one]) => Array<() => void>(times).fill(one))
    drawn[kind % drawn.length]()
    this.collect()
  }

  /** What the cache has asked for, and who has an answer. */
  private collect(): void {
    for (const fetched of this.world.source.fetches.splice(0)) this.fetches.push({ fetched, reply: '' })
    this.look()
  }

  /** Everything that is under way comes to its end. */
  finish(): void {
    for (let i = 0; i < 1000 && this.pending > 0; i++) {
      this.executeWrite(0)
      this.acknowledge(0)
      this.executeRead(0)
      this.answerRead(0)
      this.executeFetch()
      this.answerFetch()
      this.collect()
    }
    expect(this.pending).toBe(0)
  }

  private get pending(): number {
    const { writes, written, reads, executed, fetches, answers, waiting } = this
    return [writes, written, reads, executed, fetches, answers, waiting].reduce((sum, { length }) => sum + length, 0)
  }

  private floor(key: string): number {
    const heard = this.world.clock.now - MAX_STALENESS
    const past = this.history.filter((one) => one.key === key && one.at < heard).map(({ version }) => version)
    return Math.max(this.acknowledged.get(key) ?? 0, ...past)
  }

  private read(key: string, idle: boolean): void {
    this.client.idle = idle
    const asked = this.client.ask('GET', key)
    this.client.idle = true
    const read = { key, asked, floor: this.floor(key), version: 0 }
    if (asked.verdict === 'reply') {
      this.seen.hits++
      this.check(read, asked.answer)
    } else if (asked.verdict === 'wait') this.waiting.push(read)
    else this.reads.push(read)
  }

  private check({ key, floor }: Read, reply: string | undefined): void {
    const version = Number(reply?.split('\r\n')[1])
    expect({ key, version, fresh: version >= floor }).toEqual({ key, version, fresh: true })
  }

  /** Those who waited and need not any more. */
  private look(): void {
    for (const read of this.waiting.splice(0)) {
      const { delay } = read.asked.ruling
      if (delay?.answer !== undefined) {
        this.seen.flights++
        this.check(read, delay.answer.toString('latin1'))
      } else if (delay?.due === Number.POSITIVE_INFINITY) this.waiting.push(read)
    }
  }

  private execute(write: Write): void {
    const { key } = write
    write.version = (this.versions.get(key) ?? 0) + 1
    this.versions.set(key, write.version)
    this.history.push({ key, version: write.version, at: this.world.clock.now })
    this.reports.push(key)
  }

  private executeWrite(choice: number): void {
    const [write] = this.writes.splice(choice % Math.max(1, this.writes.length), 1)
    if (write === undefined) return
    this.execute(write)
    this.written.push(write)
  }

  private acknowledge(choice: number): void {
    const [write] = this.written.splice(choice % Math.max(1, this.written.length), 1)
    if (write?.asked === undefined) return
    this.client.replied(write.asked, '+OK\r\n')
    this.acknowledged.set(write.key, Math.max(write.version, this.acknowledged.get(write.key) ?? 0))
  }

  private executeRead(choice: number): void {
    const [read] = this.reads.splice(choice % Math.max(1, this.reads.length), 1)
    if (read === undefined) return
    read.version = this.versions.get(read.key) ?? 0
    this.executed.push(read)
  }

  private answerRead(choice: number): void {
    const [read] = this.executed.splice(choice % Math.max(1, this.executed.length), 1)
    if (read !== undefined) this.client.replied(read.asked, bulk(String(read.version)))
  }

  private executeFetch(): void {
    const fetch = this.fetches.shift()
    if (fetch === undefined) return
    const [name, raw] = fetch.fetched.args
    fetch.reply = name === 'PTTL' ? ':-1\r\n' : bulk(String(this.versions.get(raw.slice('acme:'.length)) ?? 0))
    this.answers.push(fetch)
  }

  private answerFetch(): void {
    const fetch = this.answers.shift()
    fetch?.fetched.done(fetch.reply.charCodeAt(0), Buffer.from(fetch.reply), false)
  }

  private hear(): void {
    const report = this.reports.shift()
    if (typeof report === 'string') this.world.cache.invalidated(Buffer.from(`acme:${report}`))
    else if (report !== undefined) this.world.source.feed.heardAt = report
    if (this.world.clock.now - this.world.source.feed.heardAt > MAX_STALENESS) this.seen.behind++
  }

  /** What it would have said is lost; it is back at once. */
  private loseFeed(choice: number): void {
    if (choice % 4 !== 0) return
    this.reports.length = 0
    this.world.source.feed.epoch++
    this.world.source.feed.heardAt = this.world.clock.now
  }
}

/** Steps: a read that is kept, 1.5 seconds in which nothing is heard, a report, and the read again. */
const FALLS_BEHIND: [number, number][] = [
  ...Array<[number, number]>(4).fill([0, 0]),
  ...Array<[number, number]>(10).fill([41, 30]),
  [35, 0],
  [0, 0],
]

test('nobody reads what is older than his own knowledge, or than the bound, whatever the order', () => {
  const seen = { hits: 0, flights: 0, behind: 0 }
  const step = fc.tuple(fc.nat(44), fc.nat(30))
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }), (steps) => {
      const model = new Model()
      for (const [kind, choice] of steps) model.step(kind, choice)
      model.finish()
      for (const name of ['hits', 'flights', 'behind'] as const) seen[name] += model.seen[name]
    }),
    // A feed that falls behind takes many steps in a row, which chance may never choose.
    { ...fuzz('coherence of the cache', 0.1, 5000), examples: [[FALLS_BEHIND]] },
  )
  // It has been where it hurts.
  expect(seen.hits).toBeGreaterThan(100)
  expect(seen.flights).toBeGreaterThan(100)
  expect(seen.behind).toBeGreaterThan(0)
})
