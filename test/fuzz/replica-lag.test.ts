import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReplicaLag, type ReplicaPosition } from '../../src/upstream/replica-lag.ts'
import { fuzz } from '../helpers/fuzz.ts'

const UNKNOWN = Number.POSITIVE_INFINITY

/**
 * A primary, replicas, a client that writes, and the questions that Keyward asks, each with a way there and a way back.
 * What the code concludes is checked against what the servers have, and against a plain list of all samples.
 */
type Step =
  | { do: 'pass'; ms: number }
  | { do: 'write'; bytes: number }
  | { do: 'answer' | 'begin' | 'execute' | 'end' | 'failover' }
  | { do: 'receive'; replica: number; share: number }
  | { do: 'ask' | 'tell' | 'synchronise' | 'restart'; replica: number }

const REPLICAS = 2
const replica = fc.nat({ max: REPLICAS - 1 })
const only = <K extends Step['do']>(name: K) => fc.record({ do: fc.constant(name) })
const of = <K extends Step['do']>(name: K) => fc.record({ do: fc.constant(name), replica })
const common: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 9 }) }),
  only('answer'),
  only('begin'),
  only('execute'),
  only('end'),
  fc.record({ do: fc.constant('receive' as const), replica, share: fc.constantFrom(0.3, 1, 1) }),
  of('ask'),
  of('tell'),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: common },
  { weight: 1, arbitrary: of('synchronise') },
  { weight: 1, arbitrary: of('restart') },
  { weight: 1, arbitrary: only('failover') },
)

interface Server {
  history: string
  /** How many of all writes are in its data. */
  writes: number
  offset: number
  position: ReplicaPosition
  asked: { offset: number; history: string } | undefined
  told: { offset: number; history: string } | undefined
}

class World {
  readonly lag = new ReplicaLag()
  now = 0
  private history = 'h0'
  private offset = 0
  /** When each write was executed, and the offset behind it. */
  private readonly writes: { at: number; offset: number }[] = []
  readonly servers: Server[]
  private sample: { number: number; begun: number; found: { offset: number; history: string } | undefined } | undefined
  /** All samples that count, as the model has them. */
  private samples: { number: number; begun: number; offset: number }[] = []
  /** The client's: writes answered, and the sample that it remembers. */
  private answered = 0
  mark = 0

  constructor() {
    this.servers = Array.from({ length: REPLICAS }, (_, i) => ({
      history: `own ${i}`,
      writes: 0,
      offset: 1,
      position: this.lag.join(),
      asked: undefined,
      told: undefined,
    }))
  }

  take(step: Step): void {
    switch (step.do) {
      case 'pass':
        this.now += step.ms
        break
      case 'write':
        this.offset += step.bytes
        this.writes.push({ at: this.now, offset: this.offset })
        break
      case 'answer':
        if (this.answered === this.writes.length) break
        this.answered = this.writes.length
        this.mark = this.lag.newest
        break
      case 'begin':
        this.sample = { number: this.lag.begin(this.now), begun: this.now, found: undefined }
        break
      case 'execute':
        if (this.sample !== undefined) this.sample.found ??= { offset: this.offset, history: this.history }
        break
      case 'end': {
        const { sample } = this
        if (sample?.found === undefined) break
        this.lag.end(sample.number, sample.found.offset, sample.found.history)
        if (sample.found.history === this.history) this.samples.push({ ...sample, offset: sample.found.offset })
        this.sample = undefined
        break
      }
      case 'failover':
        this.failover()
        break
      default:
        this.takeReplica(step, this.servers[step.replica])
    }
    this.check()
  }

  private takeReplica(step: Extract<Step, { replica: number }>, server: Server): void {
    switch (step.do) {
      case 'receive': {
        if (server.history !== this.history) break
        server.writes += Math.ceil((this.writes.length - server.writes) * step.share)
        server.offset = this.writes[server.writes - 1]?.offset ?? server.offset
        break
      }
      case 'ask':
        server.asked = { offset: server.offset, history: server.history }
        break
      case 'tell':
        if (server.asked === undefined) break
        this.lag.reported(server.position, server.asked.offset, server.asked.history)
        server.told = server.asked
        server.asked = undefined
        break
      case 'synchronise':
        server.history = this.history
        server.writes = this.writes.length
        server.offset = this.offset
        break
      case 'restart':
        // From a file of long ago, of the same history.
        this.lag.leave(server.position)
        server.position = this.lag.join()
        server.writes = Math.floor(server.writes / 2)
        server.offset = this.writes[server.writes - 1]?.offset ?? 0
        server.asked = server.told = undefined
        break
    }
  }

  /** A planned one: the replica that has everything becomes the primary, the others have yet to follow it. */
  private failover(): void {
    const chosen = this.servers.find(
      (one) => one.history === this.history && one.writes === this.writes.length && one.offset === this.offset,
    )
    if (chosen === undefined) return
    this.history = `h${this.lag.newest} ${this.now}`
    this.samples = []
    this.sample = undefined
    this.lag.reset()
    for (const one of this.servers) one.told = undefined
    // The old primary, as it is when it comes back.
    this.lag.leave(chosen.position)
    chosen.position = this.lag.join()
    chosen.asked = undefined
  }

  /** What is concluded is true, and is all that a list of everything would tell. */
  private check(): void {
    for (const { position, writes, told } of this.servers) {
      const lag = this.lag.lag(position, this.now)
      const missing = this.writes[writes]
      if (missing !== undefined) expect(lag).toBeGreaterThanOrEqual(this.now - missing.at)
      if (this.lag.covers(position, this.mark)) expect(writes).toBeGreaterThanOrEqual(this.answered)

      const known = told !== undefined && told.history === this.history ? told : undefined
      const passed = this.samples.findLast(({ offset }) => known !== undefined && offset <= known.offset)
      expect(lag).toBe(passed === undefined ? UNKNOWN : this.now - passed.begun)
      const after = this.samples.find(({ number }) => number > this.mark)
      const covered = known !== undefined && after !== undefined && after.offset <= known.offset
      expect(this.lag.covers(position, this.mark)).toBe(covered)
    }
  }
}

test('random histories: never concludes more than the servers have, nor less than a full list would', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const world = new World()
      for (const one of steps) world.take(one)
      // And when all have told everything, everything is known.
      const begun = world.now
      for (const name of ['answer', 'begin', 'execute', 'end'] as const) world.take({ do: name })
      for (let i = 0; i < REPLICAS; i++) {
        for (const name of ['synchronise', 'ask', 'tell'] as const) world.take({ do: name, replica: i })
      }
      for (const { position } of world.servers) {
        expect(world.lag.lag(position, begun + 7)).toBe(7)
        expect(world.lag.covers(position, world.mark)).toBe(true)
      }
    }),
    fuzz('replica lag', 0.25, 20_000),
  )
})
