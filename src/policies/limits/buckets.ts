import type { LimitRule } from '../../session/tenant.ts'

/** The slot of the one bucket of a rule `per: tenant`, and of the one that all names share for whom there is no room. */
export const SHARED = 0

/** What take() says of a bucket whose tokens are on their way from the backing Redis: ask again when they have come. */
export const PENDING = -1

/**
 * The buckets of one rule in this process, each in a slot. Times are milliseconds of the limiter's own clock, which
 * stands still while the machine is paused; costs are tokens: operations or bytes.
 */
export interface Buckets {
  /** The slot of the bucket of this name, made if need be; SHARED when there is no room for it. Good until the next call. */
  find(name: Buffer, start: number, end: number): number
  /** The same for a name whose slot somebody keeps: it stays as it is until release(). */
  hold(name: string): number
  release(slot: number): void
  /**
   * Takes `cost` tokens. 0: taken. Up to `patience` milliseconds: taken ahead of time, and there only when so many
   * milliseconds have passed. More: not taken, and can be in so many. PENDING: not taken, not known yet.
   */
  take(slot: number, cost: number, now: number, patience: number): number
  /** So many tokens would be taken without a wait, one after the other. */
  spare(slot: number, now: number): number
  /** Takes them whether they are there or not; later ones pay for it. */
  charge(slot: number, cost: number, now: number): void
  /** Gives back what was taken just now. */
  refund(slot: number, cost: number, now: number): void
  /** Tokens that are left; below 0 is owed. */
  tokens(slot: number, now: number): number
  /** Forgets buckets that are as good as new and held by nobody. */
  sweep(now: number): void
  readonly count: number
  /** Times that a name found no room. */
  readonly overflows: number
}

/** What of a rule its buckets need. */
export type BucketOptions = Pick<LimitRule, 'rate' | 'burst' | 'unit' | 'per' | 'buckets'>
