import { type BucketOptions, type Buckets, SHARED } from './buckets.ts'
import { Slots } from './slots.ts'

/**
 * Milliseconds by which a request may come early: ten billionths of a second. Times are doubles, which after a year
 * have steps of 4e-6 ms; who waits exactly as long as it was told must not hear that it is too early.
 */
const SLACK = 1e-5

/** Slots that one sweep() looks at: less than a millisecond's work. */
const SWEPT = 20_000

/** Milliseconds after which times are counted from a later origin, to keep them small and so exact. */
const ORIGIN_AGE = 2 ** 20

/**
 * Buckets of this process alone. Each is one number, as in the generic cell rate algorithm (ITU-T I.371, virtual
 * scheduling): `full`, the time at which the bucket will be full again if nothing is taken. A token takes `interval`
 * to come, so `burst` tokens are `tolerance`, and the ones that are missing at `now` are (full - now) / interval. It
 * decides as a token bucket does, but there is nothing to refill: taking is a max, an add and a compare.
 *
 * A bucket that is full tells nothing that a new one does not, so it may be forgotten without changing any answer.
 *
 * An operation needs its cost, or a full bucket if it costs more, and then owes the rest. Bytes need one token and owe
 * the rest, since most of them are known only afterwards. What costs nothing always passes.
 */
export class LocalBuckets implements Buckets {
  /** Milliseconds for one token. */
  private readonly interval: number
  private readonly tolerance: number
  /** Most tokens that must be there for a cost above. */
  private readonly enough: number
  /** undefined: one bucket serves all. */
  private readonly slots: Slots | undefined
  /** By slot, in milliseconds since `origin`; a past time is as good as any other. */
  private full = new Float64Array(1)
  private origin = 0
  /** The last `now`, since `origin`. */
  private latest = 0
  private readonly isIdle = (slot: number): boolean => this.full[slot] <= this.latest

  constructor({ rate, burst, unit, per, buckets }: BucketOptions) {
    this.interval = 1000 / rate
    this.tolerance = burst * this.interval
    this.enough = unit === 'bytes' ? Math.min(1, burst) : burst
    this.slots = per === 'tenant' ? undefined : new Slots(buckets, this.isIdle, this.onTaken)
    if (this.slots !== undefined) this.full = new Float64Array(this.slots.capacity)
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

  take(slot: number, cost: number, now: number, patience: number): number {
    const time = now - this.origin
    this.latest = time
    const { full, interval } = this
    const from = Math.max(full[slot], time)
    const needed = Math.min(cost, this.enough)
    const wait = from - time + needed * interval - this.tolerance
    if (wait <= SLACK || cost === 0) {
      full[slot] = from + cost * interval
      return 0
    }
    if (wait <= patience) full[slot] = from + cost * interval
    return wait
  }

  spare(slot: number, now: number): number {
    return this.tokens(slot, now)
  }

  charge(slot: number, cost: number, now: number): void {
    this.full[slot] = Math.max(this.full[slot], now - this.origin) + cost * this.interval
  }

  refund(slot: number, cost: number): void {
    this.full[slot] -= cost * this.interval
  }

  tokens(slot: number, now: number): number {
    return (this.tolerance - Math.max(0, this.full[slot] - (now - this.origin))) / this.interval
  }

  sweep(now: number): void {
    if (now - this.origin > ORIGIN_AGE) this.moveOrigin(now)
    this.latest = now - this.origin
    this.slots?.sweep(this.isIdle, SWEPT)
  }

  get count(): number {
    return this.slots === undefined ? 1 : this.slots.count
  }

  get overflows(): number {
    return this.slots === undefined ? 0 : this.slots.overflows
  }

  private moveOrigin(now: number): void {
    const by = now - this.origin
    const { full } = this
    for (let slot = 0; slot < full.length; slot++) full[slot] = Math.max(0, full[slot] - by)
    this.origin = now
  }

  /** What is in the slot is a past time, whoever had it before. */
  private readonly onTaken = (_slot: number, capacity: number): void => {
    if (this.full.length >= capacity) return
    const larger = new Float64Array(capacity)
    larger.set(this.full)
    this.full = larger
  }
}
