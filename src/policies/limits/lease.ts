import type { LeaseAsk, LeaseGrant } from './lease-store.ts'
import { LeaseWaiters } from './lease-waiters.ts'
import { LEASE_PATIENCE, type Leaseholder } from './leases.ts'
import { RecentUse } from './recent-use.ts'

/** Milliseconds for which tokens may be spent after the last word of the store. */
const LEASE = 2000
/** Milliseconds before the end of a lease that is in use at which the store is asked again, whatever is left. */
const RENEW = 750
/** Milliseconds without a request after which a bucket gives back what it has. */
const IDLE = 1000
/** Milliseconds after which an empty bucket is asked again, however slowly it fills: those who are idle give tokens back. */
const DRY = 1000
/** Milliseconds after its last request at which a bucket may be forgotten. */
const FORGOTTEN = 2000
/** Milliseconds of the rate that a bucket in use has in store whatever its use was, so that few requests find nothing. */
const LEAST = 20

/** What buckets need of the rule that they belong to. Rate in tokens per millisecond. */
export interface LeaseTerms {
  readonly rate: number
  readonly burst: number
  /** Most tokens that must be there for a cost above. */
  readonly enough: number
  readonly retired: boolean
  /** Tokens leased so far, by all of them. */
  leased: number
  /** This one waits to be asked. */
  enter(lease: Lease): void
  /** It needs tokens. */
  attend(lease: Lease, now: number): void
  /** It has tokens. */
  watch(lease: Lease, now: number): void
  /** Without the store: milliseconds, 0: taken. */
  without(lease: Lease, cost: number, now: number, patience: number): number
  /** Milliseconds until the next call can be made. */
  untilCall(now: number): number
}

/** calm: nothing is asked. queued: it is in line to be asked what it wants. asked: the answer is on its way. */
type State = 'calm' | 'queued' | 'asked'

/**
 * What this process has of one shared bucket. Its tokens are taken from the bucket already, so nothing that happens to them
 * here can make too much pass: spending them is admitted by the bucket, and losing them is a loss. It asks for more when half
 * of what it should have is left, so that there are always some while the bucket has them. Times are the limiter's milliseconds.
 */
export class Lease implements Leaseholder {
  readonly key: string
  readonly waiters = new LeaseWaiters()
  /** Below 0 is owed. */
  tokens = 0
  /** Until when tokens may be spent. */
  private endsAt = 0
  /** Below it more is asked for. */
  private low = 0
  private state: State = 'calm'
  /** When that began. */
  private since = 0
  /** When there was a request, last. */
  private usedAt = Number.NEGATIVE_INFINITY
  /** Tokens that requests wanted, whether they got them or not. */
  private readonly use = new RecentUse()
  /** The last ask: how much, and for how many milliseconds. */
  private wanted = 0
  private cover = 0
  /** What the bucket had left, and when. */
  private left: number
  private leftAt = 0
  /** Before that, the bucket has not one token, unless somebody gives some back. */
  private askAt = Number.NEGATIVE_INFINITY
  /** Until then it counts as empty: without asking it, requests are refused when there is nothing here. */
  private dryUntil = Number.NEGATIVE_INFINITY
  /** It has refused a request since. */
  private refused = false
  /** When the rule looks whether it is idle. */
  lookAt = 0
  /** The slot of its stand-in while the store fails; below 0: none. */
  standIn = -1
  private readonly terms: LeaseTerms

  constructor(key: string, terms: LeaseTerms) {
    this.key = key
    this.terms = terms
    this.left = terms.burst
  }

  /** False: not taken. */
  take(cost: number, now: number): boolean {
    this.usedAt = now
    this.use.demand += cost
    if (this.tokens < Math.min(cost, this.terms.enough) || now >= this.endsAt || this.waiters.size > 0) return false
    this.tokens -= cost
    if (this.tokens < this.low) this.runLow(now)
    return true
  }

  /** What take() would give without asking anybody. */
  spare(now: number): number {
    return now < this.endsAt && this.waiters.size === 0 ? this.tokens : 0
  }

  private runLow(now: number): void {
    this.want(now)
    if (this.tokens < 0) this.terms.attend(this, now)
  }

  /** Milliseconds in which `cost` can be had at the soonest, if that is known; undefined: the store will say. */
  knownWait(cost: number, now: number): number | undefined {
    // Who owes more than a burst need not hear again that there is nothing.
    if (now >= this.dryUntil && this.tokens > -this.terms.burst) return undefined
    return this.waitFor(Math.min(cost, this.terms.enough), this.waiters.cost, now)
  }

  /**
   * A request was refused for want of tokens. The next ones are fetched when they can be there, whether somebody asks just
   * then or not: a bucket of a single token that lies full until the next request comes loses what would come meanwhile.
   */
  refuse(now: number): void {
    if (this.refused) return
    this.refused = true
    this.terms.attend(this, now)
  }

  /** Milliseconds until so much is there, if no other process takes it; at least 1. `before`: what others take first. */
  private waitFor(needed: number, before: number, now: number): number {
    const missing = needed + before - this.tokens - this.atStore(now)
    return Math.max(1, missing / this.terms.rate, this.askAt - now, this.terms.untilCall(now))
  }

  private atStore(now: number): number {
    return Math.min(this.terms.burst, this.left + (now - this.leftAt) * this.terms.rate)
  }

  wait(waiter: Parameters<LeaseWaiters['push']>[0], now: number): void {
    this.waiters.push(waiter)
    this.terms.attend(this, now)
    this.want(now)
  }

  charge(cost: number, now: number): void {
    this.expire(now)
    this.usedAt = now
    this.use.demand += cost
    this.tokens -= cost
    if (this.tokens < this.low) this.runLow(now)
  }

  refund(cost: number, now: number): void {
    this.use.demand = Math.max(0, this.use.demand - cost)
    this.tokens += cost
    if (this.tokens > 0) this.terms.watch(this, now)
  }

  /** All that there is, here and in the store as far as is known. */
  total(now: number): number {
    this.expire(now)
    return Math.min(this.terms.burst, this.tokens + this.atStore(now))
  }

  /** Nothing would be lost with it. */
  isIdle(now: number): boolean {
    this.expire(now)
    const used = this.tokens !== 0 || this.waiters.size > 0 || this.state !== 'calm'
    return !used && now - this.usedAt >= FORGOTTEN
  }

  drop(): void {
    if (this.tokens > 0) this.tokens = 0
    this.askAt = Number.NEGATIVE_INFINITY
    this.dryUntil = Number.NEGATIVE_INFINITY
  }

  private expire(now: number): void {
    if (this.tokens > 0 && now >= this.endsAt) this.tokens = 0
  }

  /** Asks for more, unless that is known to be in vain. */
  want(now: number): void {
    if (now >= this.askAt) this.enter(now)
  }

  private enter(now: number): void {
    if (this.state !== 'calm') return
    this.state = 'queued'
    this.since = now
    this.terms.enter(this)
  }

  ask(now: number, cover: number): LeaseAsk | undefined {
    this.expire(now)
    const { rate, burst } = this.terms
    const target = this.target(now, cover)
    this.low = target / 2
    const missing = Math.ceil(target + this.waiters.cost - this.tokens)
    const want = Math.max(0, missing)
    const back = missing < 0 && this.tokens > 2 * target ? this.tokens - target : 0
    if (want === 0 && back === 0 && (this.tokens <= 0 || this.endsAt - now > RENEW)) {
      this.state = 'calm'
      return undefined
    }
    this.state = 'asked'
    this.tokens -= back
    this.wanted = want
    this.cover = cover
    return { key: this.key, rate, burst, want, back, most: this.atStore(now) }
  }

  /** How much it should have. */
  private target(now: number, cover: number): number {
    const { rate, burst } = this.terms
    const use = this.use.average(now)
    if (!this.unused(now)) return Math.min(Math.floor(burst), Math.ceil(Math.max(rate * LEAST, use * cover)))
    this.refused = false
    return 0
  }

  private unused(now: number): boolean {
    return this.waiters.size === 0 && (this.terms.retired || now - this.usedAt >= IDLE)
  }

  granted({ granted, left }: LeaseGrant, now: number): void {
    const { rate } = this.terms
    this.expire(now)
    this.state = 'calm'
    this.refused = false
    this.tokens += granted
    this.terms.leased += granted
    this.endsAt = now + LEASE
    this.left = left
    this.leftAt = now
    // Not only when the bucket has a token again by itself: others may give some back.
    this.askAt = left < 1 ? now + Math.min(DRY, (1 - left) / rate) : Number.NEGATIVE_INFINITY
    const dry = granted < this.wanted
    // Until the answer to the next ask, which comes before that unless the store is slow.
    this.dryUntil = dry ? Math.max(this.askAt, now + this.cover) : this.askAt
    this.serve()
    if (dry) this.refuseLate(now)
    if (this.tokens > 0) this.terms.watch(this, now)
    if (this.tokens < this.low || this.waiters.size > 0) this.want(now)
  }

  lost(): void {
    // Whoever is in need is looked after, and asks again.
    this.state = 'calm'
  }

  /** Somebody waits for tokens, or was refused, or they are owed: of a rule that is no more, nobody collects debts. */
  private get inNeed(): boolean {
    return this.waiters.size > 0 || (!this.terms.retired && (this.tokens < 0 || this.refused))
  }

  private serve(): void {
    this.waiters.dropOver()
    for (;;) {
      const waiter = this.waiters.next(this.tokens)
      if (waiter === undefined) return
      this.tokens -= waiter.cost
      waiter.decide(0)
    }
  }

  /** Those who would have to wait longer than they may. */
  private refuseLate(now: number): void {
    if (this.waiters.size === 0) return
    this.waiters.refuse(({ needed, until }, before) => {
      const wait = this.waitFor(needed, before, now)
      if (now + wait <= until) return undefined
      this.refused = true
      return wait
    })
  }

  /** Decides on all waiters without the store. */
  giveUp(now: number): void {
    this.waiters.refuse(({ cost, delay }) => (delay.over ? 1 : this.terms.without(this, cost, now, 0)))
  }

  /** Looks after waiters and debt. Returns when it can ask, Infinity: it has; undefined: there is nothing to look after. */
  attended(now: number): number | undefined {
    this.waiters.dropOver()
    const { size, since } = this.waiters
    if (size > 0 && this.state !== 'calm' && now - Math.max(since, this.since) >= LEASE_PATIENCE) this.giveUp(now)
    if (!this.inNeed) return undefined
    this.want(now)
    return this.askAt > now ? this.askAt : Number.POSITIVE_INFINITY
  }

  /** Looks whether it is idle, or its lease about to end. False: there is nothing left to look after. */
  watched(now: number): boolean {
    this.expire(now)
    if (this.tokens <= 0) return false
    if (this.unused(now) || this.endsAt - now <= RENEW) this.enter(now)
    return true
  }
}
