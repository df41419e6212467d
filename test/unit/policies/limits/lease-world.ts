import { Delay } from '../../../../src/commands/delay.ts'
import type { LeaseAsk, LeaseGrant, LeaseStore } from '../../../../src/policies/limits/lease-store.ts'
import { LeasedBuckets, type LeasedOptions } from '../../../../src/policies/limits/leased-buckets.ts'
import { Leases } from '../../../../src/policies/limits/leases.ts'

/** Time that passes when it is told to, in milliseconds, and what is to happen in it. */
export class FakeTime {
  now = 1_000_000
  private readonly events: { readonly at: number; readonly fn: () => void }[] = []

  readonly after = (delay: number, fn: () => void): (() => void) => {
    const event = { at: this.now + delay, fn }
    // Those of the same time in the order in which they came.
    let place = this.events.length
    while (place > 0 && this.events[place - 1].at > event.at) place--
    this.events.splice(place, 0, event)
    return () => {
      const i = this.events.indexOf(event)
      if (i >= 0) this.events.splice(i, 1)
    }
  }

  /** Nothing is going to happen any more. */
  get quiet(): boolean {
    return this.events.length === 0
  }

  async pass(time: number): Promise<void> {
    const until = this.now + time
    await settle()
    while (this.events.length > 0 && this.events[0].at <= until) {
      const [{ at, fn }] = this.events.splice(0, 1)
      this.now = Math.max(this.now, at)
      fn()
      await settle()
    }
    this.now = until
  }
}

/** Lets promises that are settled be heard. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await undefined
}

/** What the lease script does, in other words: the reference that the model is checked against. */
export class ReferenceBuckets {
  private readonly time: FakeTime
  private readonly levels = new Map<string, { level: number; at: number }>()
  /** Granted, less what was given back. */
  out = 0

  constructor(time: FakeTime) {
    this.time = time
  }

  lease(asks: readonly LeaseAsk[]): LeaseGrant[] {
    return asks.map(({ key, rate, burst, want, back }) => {
      if (!Number.isInteger(want) || want < 0 || back < 0) throw new Error(`bad ask: ${want}, ${back}`)
      const { level, at } = this.levels.get(key) ?? { level: burst, at: this.time.now }
      const full = Math.min(burst, level + back + (this.time.now - at) * rate)
      const granted = Math.min(want, Math.floor(full))
      this.levels.set(key, { level: full - granted, at: this.time.now })
      this.out += granted - back
      return { granted, left: full - granted }
    })
  }
}

/** What becomes of a call: when it arrives and when its answer does, in milliseconds; undefined: never. */
export interface Fate {
  readonly there: number | undefined
  readonly back: number | undefined
}

export const PROMPT: Fate = { there: 1, back: 1 }

/** The way from one process to the store. */
export class FakeStore implements LeaseStore {
  /** When calls were made. */
  readonly calls: number[] = []
  readonly asks: (readonly LeaseAsk[])[] = []
  fate: () => Fate = () => PROMPT
  /** Calls are rejected at once. */
  refuses = false
  private readonly time: FakeTime
  private readonly buckets: ReferenceBuckets

  constructor(time: FakeTime, buckets: ReferenceBuckets) {
    this.time = time
    this.buckets = buckets
  }

  lease(asks: readonly LeaseAsk[]): Promise<readonly LeaseGrant[]> {
    this.calls.push(this.time.now)
    this.asks.push(asks)
    if (this.refuses) return Promise.reject(new Error('ECONNREFUSED'))
    const { there, back } = this.fate()
    return new Promise((resolve) => {
      if (there === undefined) return
      this.time.after(there, () => {
        const grants = this.buckets.lease(asks)
        if (back !== undefined) this.time.after(back, () => resolve(grants))
      })
    })
  }
}

export const RULE: LeasedOptions = {
  name: 'all',
  rate: 1000,
  burst: 1000,
  unit: 'operations',
  per: 'tenant',
  buckets: 100,
  onError: 'deny',
  maxDelayed: 10_000,
}

/** One process: its leases, and how many requests of one tenant it has let pass. */
export class FakeProcess {
  readonly time: FakeTime
  readonly store: FakeStore
  readonly leases: Leases
  buckets: LeasedBuckets
  admitted = 0
  refused = 0
  /** Waits that the refused ones were told. */
  readonly waits: number[] = []
  waiting = 0
  readonly faults: unknown[] = []
  private options: LeasedOptions

  constructor(time: FakeTime, shared: ReferenceBuckets, options: Partial<LeasedOptions> = {}, random = Math.random) {
    this.time = time
    this.store = new FakeStore(time, shared)
    this.options = { ...RULE, ...options }
    this.leases = new Leases({
      now: () => time.now,
      after: time.after,
      random,
      storeOf: () => this.store,
      fault: (error) => this.faults.push(error),
    })
    this.buckets = this.open()
  }

  private open(): LeasedBuckets {
    return new LeasedBuckets(this.options, { leases: this.leases, tenant: 'acme', upstream: 'main' })
  }

  /** What take() says; when that is PENDING, the request waits, and may do so for `patience` milliseconds. */
  request(cost = 1, patience = 0, slot = 0): number {
    const { buckets, time } = this
    const wait = buckets.take(slot, cost, time.now, patience)
    if (wait === -1) {
      const delay = new Delay(Number.POSITIVE_INFINITY, () => {})
      this.waiting++
      buckets.wait(slot, cost, time.now, delay, patience, (decided) => {
        this.waiting--
        delay.end(true)
        this.count(decided, cost)
      })
    } else this.count(wait, cost)
    return wait
  }

  /** Requests at an even pace for `duration` milliseconds; returns what take() said of each. */
  async load(perSecond: number, duration: number, patience = 0): Promise<number[]> {
    const answers: number[] = []
    const until = this.time.now + duration
    for (let rest = 0; this.time.now < until; await this.time.pass(1)) {
      rest += perSecond / 1000
      for (; rest >= 1; rest--) answers.push(this.request(1, patience))
    }
    return answers
  }

  private count(wait: number, cost: number): void {
    if (wait === 0) this.admitted += cost
    else {
      this.refused += cost
      this.waits.push(wait)
    }
  }

  /** The rule is another one now. */
  reload(options: Partial<LeasedOptions> = {}): void {
    const old = this.buckets
    this.options = { ...this.options, ...options }
    this.buckets = this.open()
    this.leases.forget(old)
  }
}
