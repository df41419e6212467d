import { createHash } from 'node:crypto'
import type { Delay } from '../../commands/delay.ts'
import type { LimitRule } from '../../session/tenant.ts'
import { type Buckets, PENDING, SHARED } from './buckets.ts'
import { Lease, type LeaseTerms } from './lease.ts'
import type { Decide } from './lease-waiters.ts'
import type { LeaseRule, Leases } from './leases.ts'
import { LocalBuckets } from './local-buckets.ts'
import { Slots } from './slots.ts'

/** Milliseconds after a failure for which the store counts as failing: longer than it takes until the next call has failed. */
const FAILING = 2500
/** What who is refused because the store fails is told to wait, milliseconds. */
const DENIED = 1000
/** Milliseconds between two looks at a bucket that has tokens. */
const WATCH = 500
/** Milliseconds between two looks at those who wait: at least, at most, and for each of them. */
const ATTEND = { least: 10, most: 50, each: 0.001 } as const
/** Slots that one sweep() looks at. */
const SWEPT = 20_000
/** A longer name of a bucket is told apart by its digest. */
const LONGEST_NAME = 128

export type LeasedOptions = Pick<
  LimitRule,
  'name' | 'rate' | 'burst' | 'unit' | 'per' | 'buckets' | 'onError' | 'maxDelayed'
>

/** Where the tokens of a rule come from: an upstream's store, by way of the leases of this process. */
export interface LeaseSource {
  readonly leases: Leases
  readonly tenant: string
  readonly upstream: string
}

/**
 * Buckets that several processes share: each of them here has tokens that were taken from the one in the backing Redis. In
 * the ordinary case a request takes some of those, and nothing else happens.
 */
export class LeasedBuckets implements Buckets, LeaseTerms, LeaseRule {
  /** Tokens per millisecond. */
  readonly rate: number
  readonly burst: number
  readonly enough: number
  readonly upstream: string
  retired = false
  /** Tokens leased so far. */
  leased = 0
  private readonly options: LeasedOptions
  private readonly leases: Leases
  /** In front of the names of buckets. */
  private readonly prefix: string
  private readonly slots: Slots | undefined
  /** By slot; undefined: as good as new. */
  private readonly bySlot: (Lease | undefined)[]
  /** Those with tokens, in the order in which they are looked at. */
  private readonly haveTokens = new Set<Lease>()
  /** Those that need tokens. */
  private readonly inNeed = new Set<Lease>()
  private waiting = 0
  private latest = 0
  private failingUntil = Number.NEGATIVE_INFINITY
  /** Decides while the store fails, for `onError: local`. */
  private local: LocalBuckets | undefined = undefined

  constructor(options: LeasedOptions, { leases, tenant, upstream }: LeaseSource) {
    const { name, rate, burst, unit, per, buckets } = options
    this.options = options
    this.leases = leases
    this.upstream = upstream
    this.rate = rate / 1000
    this.burst = burst
    this.enough = unit === 'bytes' ? Math.min(1, burst) : burst
    this.prefix = `${tenant}:${name}`
    this.slots = per === 'tenant' ? undefined : new Slots(buckets, this.isIdle, this.onTaken)
    this.bySlot = [new Lease(this.prefix, this)]
    leases.add(this)
  }

  /** The store did not answer, not long ago. */
  failing(now: number): boolean {
    return now < this.failingUntil
  }

  find(name: Buffer, start: number, end: number): number {
    return this.slots === undefined ? SHARED : this.slots.find(name, start, end)
  }

  hold(name: string): number {
    if (this.slots === undefined) return SHARED
    const bytes = Buffer.from(name)
    const slot = this.slots.find(bytes, 0, bytes.length)
    this.slots.hold(slot)
    return slot
  }

  release(slot: number): void {
    this.slots?.release(slot)
  }

  /** As Buckets.take. Nothing is ever taken ahead of time: who may wait long enough gets PENDING. */
  take(slot: number, cost: number, now: number, patience: number): number {
    this.latest = now
    const lease = this.bySlot[slot] as Lease
    if (lease.take(cost, now) || cost === 0) return 0
    lease.want(now)
    if (this.failing(now)) return this.without(lease, cost, now, patience)
    const wait = lease.knownWait(cost, now)
    if (wait === undefined || wait <= patience) return PENDING
    lease.refuse(now)
    return wait
  }

  /**
   * For a request whose take() was PENDING: `decide` is called once, later, when it has got its tokens or is refused. Requests on
   * one bucket get theirs in order, and later ones wait behind them. `patience`: milliseconds that the rule lets it wait; when
   * nothing is known of the bucket, it waits for up to a second for that.
   */
  wait(slot: number, cost: number, now: number, delay: Delay, patience: number, decide: Decide): void {
    const lease = this.bySlot[slot] as Lease
    // Who asks counts only those that are still there; here the others stay until somebody looks.
    if (this.waiting >= 2 * this.options.maxDelayed) for (const one of this.inNeed) one.waiters.dropOver()
    this.waiting++
    const needed = Math.min(cost, this.enough)
    const counted: Decide = (wait) => {
      this.waiting--
      decide(wait)
    }
    lease.wait({ cost, needed, since: now, until: now + patience, delay, decide: counted }, now)
  }

  spare(slot: number, now: number): number {
    return this.failing(now) ? 0 : (this.bySlot[slot] as Lease).spare(now)
  }

  charge(slot: number, cost: number, now: number): void {
    const lease = this.bySlot[slot]
    if (lease === undefined) return
    if (!this.failing(now)) lease.charge(cost, now)
    else if (this.options.onError === 'local') this.localOf(lease, (local, at) => local.charge(at, cost, now))
  }

  refund(slot: number, cost: number, now: number): void {
    // It may have been forgotten since: then its tokens are gone, too.
    const lease = this.bySlot[slot]
    if (lease === undefined) return
    if (!this.failing(now)) lease.refund(cost, now)
    else if (this.options.onError === 'local') this.localOf(lease, (local, at) => local.refund(at, cost))
  }

  tokens(slot: number, now: number): number {
    return this.bySlot[slot]?.total(now) ?? this.burst
  }

  sweep(now: number): void {
    this.latest = now
    this.slots?.sweep(this.forget, SWEPT)
    this.local?.sweep(now)
  }

  get count(): number {
    return this.slots === undefined ? 1 : this.slots.count
  }

  get overflows(): number {
    return this.slots === undefined ? 0 : this.slots.overflows
  }

  // For its leases.

  enter(lease: Lease): void {
    this.leases.enter(this, lease)
  }

  attend(lease: Lease, now: number): void {
    this.inNeed.add(lease)
    this.leases.wake(this, now + ATTEND.most)
  }

  watch(lease: Lease, now: number): void {
    if (this.haveTokens.has(lease)) return
    lease.lookAt = this.retired ? now : now + WATCH
    this.haveTokens.add(lease)
    this.leases.wake(this, lease.lookAt)
  }

  untilCall(now: number): number {
    return this.leases.untilCall(now)
  }

  without(lease: Lease, cost: number, now: number, patience: number): number {
    switch (this.options.onError) {
      case 'allow':
        return 0
      case 'deny':
        // More than patience: it is not taken ahead of time.
        return Math.max(DENIED, patience + 1)
      case 'local':
        return this.localOf(lease, (local, slot) => local.take(slot, cost, now, patience))
    }
  }

  private localOf<T>(lease: Lease, use: (local: LocalBuckets, slot: number) => T): T {
    this.local ??= new LocalBuckets(this.options)
    if (lease.standIn < 0) lease.standIn = this.local.hold(lease.key)
    return use(this.local, lease.standIn)
  }

  // For Leases.

  look(now: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const lease of this.haveTokens) {
      // Each comes in at the end, for the same time: the first one is the next one.
      if (lease.lookAt > now && !this.retired) {
        next = lease.lookAt
        break
      }
      this.haveTokens.delete(lease)
      if (lease.watched(now) && !this.retired) this.watch(lease, now)
    }
    return Math.min(next, this.attendAll(now))
  }

  private attendAll(now: number): number {
    let next = now + ATTEND.most
    for (const lease of this.inNeed) {
      const at = lease.attended(now)
      if (at === undefined) this.inNeed.delete(lease)
      else if (at < next) next = at
    }
    const { size } = this.inNeed
    return size === 0 ? Number.POSITIVE_INFINITY : Math.max(next, now + ATTEND.least + size * ATTEND.each)
  }

  failed(now: number): void {
    this.failingUntil = now + FAILING
    for (const lease of this.inNeed) lease.giveUp(now)
  }

  answered(): void {
    this.failingUntil = Number.NEGATIVE_INFINITY
  }

  paused(): void {
    for (const lease of this.bySlot) lease?.drop()
  }

  retire(): void {
    this.retired = true
  }

  get over(): boolean {
    return this.retired && this.haveTokens.size === 0 && this.inNeed.size === 0
  }

  private readonly isIdle = (slot: number): boolean => this.bySlot[slot]?.isIdle(this.latest) ?? true

  /** Of a slot that is being freed, which nobody asks for before onTaken(). */
  private readonly forget = (slot: number): boolean => {
    if (!this.isIdle(slot)) return false
    this.letGo(slot)
    return true
  }

  private letGo(slot: number): void {
    const standIn = this.bySlot[slot]?.standIn ?? -1
    if (standIn >= 0) this.local?.release(standIn)
    this.bySlot[slot] = undefined
  }

  private readonly onTaken = (slot: number, _capacity: number, name: Buffer, start: number, end: number): void => {
    this.letGo(slot)
    this.bySlot[slot] = new Lease(`${this.prefix}${this.suffix(name.subarray(start, end))}`, this)
  }

  private suffix(name: Buffer): string {
    if (name.length <= LONGEST_NAME) return `:${name.toString('latin1')}`
    return `#${createHash('sha256').update(name).digest('hex')}`
  }
}
