import type { LeaseAsk, LeaseGrant, LeaseStore } from './lease-store.ts'

/** Milliseconds between two calls of this process, whatever there is to ask: at most 20 a second. */
const SPACING = 50
/** Up to so many milliseconds more, by chance: processes in step would always find the bucket in the same state. */
const JITTER = 10
/** Most buckets in one call. */
const MOST_ASKS = 500
/** Milliseconds after which a call without an answer has failed. */
export const LEASE_PATIENCE = 1000
/** Of the time between two calls for the same upstream, how much an ask should cover. */
const COVER = 2.5
/** Milliseconds that an ask covers at most, however many are waiting: half of the time that a lease is good for. */
const MOST_COVER = 1000

/** A bucket that asks. */
export interface Leaseholder {
  /** What it wants now, if anything. `cover`: for so many milliseconds. The outcome is told once, by one of the others. */
  ask(now: number, cover: number): LeaseAsk | undefined
  granted(grant: LeaseGrant, now: number): void
  /** Nothing was granted; what was given back is gone. */
  lost(): void
}

/** The buckets of a rule, as far as all of them are concerned. */
export interface LeaseRule {
  readonly upstream: string
  /** Looks after those that wait or are idle. Returns when to look again; Infinity: when wake() says so. */
  look(now: number): number
  /** A call for this upstream failed. */
  failed(now: number): void
  /** A call for this upstream succeeded. */
  answered(): void
  /** The machine was paused: all leases are dropped. */
  paused(): void
  /** The rule is no more. What was leased goes back once nobody waits for it. */
  retire(): void
  /** Retired, and nothing is left. */
  readonly over: boolean
}

/** What leases need of the process. Times in milliseconds. */
export interface LeasesEnv {
  /** The limiter's time. */
  now(): number
  /** Calls `fn` in `delay` milliseconds, 0: in this turn of the event loop or the next. The result calls it off. */
  after(delay: number, fn: () => void): () => void
  /** 0 to 1. */
  random(): number
  /** Where the tokens of the tenants of an upstream are, now. */
  storeOf(upstream: string): LeaseStore | undefined
  /** A bug. */
  fault(error: unknown): void
}

interface Call {
  readonly desk: Desk
  readonly store: LeaseStore | undefined
  readonly holders: readonly Leaseholder[]
  /** Whatever was granted is not to be used any more. */
  void: boolean
}

/** One upstream: who asks there. */
interface Desk {
  readonly upstream: string
  readonly rules: Set<LeaseRule>
  /** In the order in which they came. */
  readonly waiting: Set<Leaseholder>
  call: Call | undefined
}

/**
 * Collects what all buckets of all global rules want, and asks for it in few calls: one at a time for each upstream, and
 * never two within 50 ms, failures included.
 */
export class Leases {
  calls = 0
  failures = 0
  private readonly env: LeasesEnv
  private readonly desks = new Map<string, Desk>()
  private readonly awake = new Set<LeaseRule>()
  /** When the next call may be made. */
  private nextCall = Number.NEGATIVE_INFINITY
  private nextLook = Number.POSITIVE_INFINITY
  /** When the timer fires. */
  private planned = Number.POSITIVE_INFINITY
  private cancel: (() => void) | undefined = undefined
  private stopped = false

  constructor(env: LeasesEnv) {
    this.env = env
  }

  add(rule: LeaseRule): void {
    this.deskOf(rule.upstream).rules.add(rule)
  }

  /** The rule is gone from the configuration. */
  forget(rule: LeaseRule): void {
    rule.retire()
    this.wake(rule, this.env.now())
  }

  /** This bucket wants tokens, or has some to give back. It stays in line until it is asked. */
  enter(rule: LeaseRule, holder: Leaseholder): void {
    this.deskOf(rule.upstream).waiting.add(holder)
    this.plan()
  }

  /** This rule wants to be looked at, at `at` the latest. */
  wake(rule: LeaseRule, at: number): void {
    this.awake.add(rule)
    if (at >= this.nextLook) return
    this.nextLook = at
    this.plan()
  }

  /** Milliseconds until the next call can be made. */
  untilCall(now: number): number {
    return Math.max(0, this.nextCall - now)
  }

  /** The machine was paused. What was granted may be from before. */
  paused(): void {
    for (const { call, rules } of this.desks.values()) {
      if (call !== undefined) call.void = true
      for (const rule of rules) rule.paused()
    }
  }

  view() {
    return { calls: this.calls, failures: this.failures }
  }

  stop(): void {
    this.stopped = true
    this.cancel?.()
  }

  private deskOf(upstream: string): Desk {
    let desk = this.desks.get(upstream)
    if (desk === undefined) {
      desk = { upstream, rules: new Set(), waiting: new Set(), call: undefined }
      this.desks.set(upstream, desk)
    }
    return desk
  }

  private plan(): void {
    if (this.stopped) return
    const at = Math.min(this.nextLook, this.wanted ? this.nextCall : Number.POSITIVE_INFINITY)
    if (at >= this.planned) return
    this.cancel?.()
    this.planned = at
    const delay = Math.max(0, at - this.env.now())
    this.cancel = this.env.after(delay, () => this.run())
  }

  private get wanted(): boolean {
    for (const desk of this.desks.values()) if (isReady(desk)) return true
    return false
  }

  private run(): void {
    this.planned = Number.POSITIVE_INFINITY
    this.cancel = undefined
    try {
      const now = this.env.now()
      if (now >= this.nextLook) this.look(now)
      if (now >= this.nextCall) this.next(now)
    } catch (error) {
      this.env.fault(error)
    }
    this.plan()
  }

  private look(now: number): void {
    this.nextLook = Number.POSITIVE_INFINITY
    for (const rule of this.awake) {
      const again = rule.look(now)
      if (again === Number.POSITIVE_INFINITY) this.awake.delete(rule)
      if (again < this.nextLook) this.nextLook = again
      if (rule.over) this.desks.get(rule.upstream)?.rules.delete(rule)
    }
  }

  /** A call for the next upstream in turn that has something to ask. */
  private next(now: number): void {
    for (const desk of [...this.desks.values()]) {
      if (!isReady(desk)) {
        if (desk.rules.size + desk.waiting.size === 0 && desk.call === undefined) this.desks.delete(desk.upstream)
        continue
      }
      // To the end of the line, in which the map keeps them.
      this.desks.delete(desk.upstream)
      this.desks.set(desk.upstream, desk)
      if (this.begin(desk, now)) return
    }
  }

  /** False: nobody wants anything any more. */
  private begin(desk: Desk, now: number): boolean {
    const cover = this.cover(desk)
    const holders: Leaseholder[] = []
    const asks: LeaseAsk[] = []
    for (const holder of desk.waiting) {
      desk.waiting.delete(holder)
      const ask = holder.ask(now, cover)
      if (ask === undefined) continue
      holders.push(holder)
      if (asks.push(ask) === MOST_ASKS) break
    }
    if (asks.length === 0) return false
    const store = this.env.storeOf(desk.upstream)
    const call: Call = { desk, store, holders, void: false }
    desk.call = call
    this.calls++
    this.nextCall = now + SPACING + JITTER * this.env.random()
    const cancel = this.env.after(LEASE_PATIENCE, () => this.finish(call, undefined))
    const answer = store === undefined ? Promise.reject(new Error('no such upstream')) : store.lease(asks)
    answer.then(
      (grants) => {
        cancel()
        this.finish(call, grants.length === asks.length ? grants : undefined)
      },
      () => {
        cancel()
        this.finish(call, undefined)
      },
    )
    return true
  }

  /** For how many milliseconds a bucket should have tokens: a good deal longer than it takes until it is asked again. */
  private cover(desk: Desk): number {
    let callers = 0
    for (const { rules } of this.desks.values()) if (rules.size > 0) callers++
    const period = (SPACING + JITTER / 2) * Math.max(1, callers) * (1 + Math.floor(desk.waiting.size / MOST_ASKS))
    return Math.min(MOST_COVER, COVER * period)
  }

  /** `grants`: undefined if there is no answer. Only the first word counts. */
  private finish(call: Call, grants: readonly LeaseGrant[] | undefined): void {
    const { desk, holders } = call
    if (desk.call !== call || this.stopped) return
    const now = this.env.now()
    desk.call = undefined
    if (grants === undefined) this.fail(call, now)
    else for (const rule of desk.rules) rule.answered()
    holders.forEach((holder, i) => {
      // What waits for tokens goes on here, through much that is not ours: the others must get theirs all the same.
      try {
        if (grants === undefined || call.void) holder.lost()
        else holder.granted(grants[i], now)
      } catch (error) {
        this.env.fault(error)
      }
    })
    this.plan()
  }

  private fail({ desk, store }: Call, now: number): void {
    this.failures++
    // One that a reload has put another in the place of says nothing of that.
    if (store !== undefined && this.env.storeOf(desk.upstream) !== store) return
    for (const rule of desk.rules) {
      try {
        rule.failed(now)
      } catch (error) {
        this.env.fault(error)
      }
    }
  }
}

function isReady({ waiting, call }: Desk): boolean {
  return waiting.size > 0 && call === undefined
}
