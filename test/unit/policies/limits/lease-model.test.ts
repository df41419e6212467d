import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fuzz } from '../../../helpers/fuzz.ts'
import { FakeProcess, FakeTime, type Fate, PROMPT, ReferenceBuckets } from './lease-world.ts'

/** Milliseconds between two looks at what clients want. */
const STEP = 5

/** What happens to one of the processes; times in milliseconds. */
const trouble = fc.record({
  after: fc.integer({ min: 0, max: 400 }),
  who: fc.nat(4),
  what: fc.constantFrom('busier', 'idle', 'crash', 'reload', 'pause', 'slow', 'lossy', 'refused', 'well'),
})

const world = fc.record({
  rate: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 50, max: 3000 })),
  /** In seconds of the rate. */
  burst: fc.double({ min: 0.2, max: 3, noNaN: true }),
  processes: fc.integer({ min: 1, max: 5 }),
  patience: fc.constantFrom(0, 0, 20, 500),
  /** Costs of requests, in turn. */
  costs: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  trouble: fc.array(trouble, { maxLength: 25 }),
  seed: fc.integer(),
})
type World = typeof world extends fc.Arbitrary<infer T> ? T : never

/** A process and what its clients ask for. */
interface Member {
  process: FakeProcess
  /** Requests per millisecond. */
  demand: number
  /** A part of a request that was not made yet. */
  rest: number
}

class Simulation {
  readonly time = new FakeTime()
  readonly buckets = new ReferenceBuckets(this.time)
  readonly members: Member[]
  readonly rate: number
  readonly burst: number
  /** By processes that are no more. */
  private admittedBefore = 0
  private readonly world: World
  private readonly random: () => number
  private readonly start: number
  private turn = 0

  constructor(world: World) {
    this.world = world
    this.rate = world.rate
    this.burst = Math.max(4, Math.floor(world.rate * world.burst))
    this.random = generator(world.seed)
    this.start = this.time.now
    this.members = Array.from({ length: world.processes }, () => ({ process: this.begin(), demand: 0, rest: 0 }))
  }

  private begin(): FakeProcess {
    return new FakeProcess(this.time, this.buckets, { rate: this.rate, burst: this.burst }, this.random)
  }

  get admitted(): number {
    return this.members.reduce((sum, { process }) => sum + process.admitted, this.admittedBefore)
  }

  async pass(time: number): Promise<void> {
    for (const until = this.time.now + time; this.time.now < until; ) {
      for (const member of this.members) {
        member.rest += member.demand * STEP
        for (; member.rest >= 1; member.rest--) this.request(member.process)
      }
      await this.time.pass(STEP)
      this.check()
    }
  }

  private request(process: FakeProcess): void {
    const { costs, patience } = this.world
    // As the limiter does: no more may wait.
    if (process.waiting < 500) process.request(costs[this.turn++ % costs.length], patience)
  }

  private check(): void {
    const most = this.burst + (this.rate / 1000) * (this.time.now - this.start)
    if (this.admitted > most + 1e-6) throw new Error(`${this.admitted} admitted, at most ${most} may be`)
    const { out } = this.buckets
    if (this.admitted > out + 1e-6) throw new Error(`${this.admitted} admitted, but only ${out} granted`)
    for (const { process } of this.members) if (process.faults.length > 0) throw process.faults[0]
  }

  change({ who, what }: World['trouble'][number]): void {
    const member = this.members[who % this.members.length]
    const { process } = member
    const { store } = process
    switch (what) {
      case 'busier':
        member.demand = member.demand * 2 + (this.random() * this.rate) / 1000
        break
      case 'idle':
        member.demand = 0
        break
      case 'crash':
        this.end(process)
        member.process = this.begin()
        break
      case 'reload':
        process.reload()
        break
      case 'pause':
        process.leases.paused()
        break
      case 'slow':
        store.fate = () => this.fate(600, 0)
        break
      case 'lossy':
        store.fate = () => this.fate(30, 0.3)
        break
      case 'refused':
        store.refuses = true
        break
      case 'well':
        this.cure(process)
        break
    }
    member.demand = Math.min(member.demand, (3 * this.rate) / 1000)
  }

  private fate(latency: number, loss: number): Fate {
    const way = () => (this.random() < loss ? undefined : this.random() * latency)
    return { there: way(), back: way() }
  }

  cure({ store }: FakeProcess): void {
    store.refuses = false
    store.fate = () => PROMPT
  }

  /** It is gone, and what it held with it. */
  private end(process: FakeProcess): void {
    process.leases.stop()
    this.admittedBefore += process.admitted
    checkCalls(process.store.calls)
  }
}

/** At most 20 in any second. */
function checkCalls(calls: readonly number[]): void {
  for (let i = 20; i < calls.length; i++) {
    if (calls[i] - calls[i - 20] < 1000) throw new Error(`21 calls in ${calls[i] - calls[i - 20]} ms`)
  }
}

/** Numbers of 0 to 1, always the same ones for a seed: a linear congruential generator, Numerical Recipes' constants. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

test('whatever happens, no more passes than the bucket gives, in few calls; and after it all of the rate does', async () => {
  const shares: number[] = []
  await fc.assert(
    fc.asyncProperty(world, async (world) => {
      const simulation = new Simulation(world)
      simulation.members[0].demand = (1.5 * world.rate) / 1000
      for (const each of world.trouble) {
        await simulation.pass(each.after)
        simulation.change(each)
      }
      const { members, rate } = simulation
      for (const { process } of members) simulation.cure(process)
      // The others want what they wanted, or nothing; one wants all that there is.
      members[0].demand = (2 * rate) / 1000
      await simulation.pass(4000 + 8000 / rate)
      const before = simulation.admitted
      const since = simulation.time.now
      const window = 5000 + 100_000 / rate
      await simulation.pass(window)
      const share = (simulation.admitted - before) / ((rate / 1000) * (simulation.time.now - since))
      shares.push(share)
      // Each process may have tokens of a request of four that is under way at the end.
      expect(share).toBeGreaterThan(0.97 - (4 * members.length) / (rate * (window / 1000)))
      for (const member of members) {
        checkCalls(member.process.store.calls)
        member.demand = 0
      }
      await simulation.pass(3000)
      expect(members.map(({ process }) => process.waiting)).toEqual(members.map(() => 0))
    }),
    fuzz('leases', 0.015, 10_000),
  )
  console.log(`leases: of the rate, ${Math.min(...shares).toFixed(3)} at least`)
}, 600_000)
