import type { ArgView } from '../../commands/arg-view.ts'
import { parseInt64 } from '../../lib/int64.ts'
import type { TtlRule } from '../../session/tenant.ts'

/** How a command writes a time to live: milliseconds in its unit, and whether it counts from 1970 or from now. */
export interface TimeForm {
  readonly unit: 1 | 1000
  readonly absolute: boolean
}

export const SECONDS: TimeForm = { unit: 1000, absolute: false }
export const MILLISECONDS: TimeForm = { unit: 1, absolute: false }
export const AT_SECONDS: TimeForm = { unit: 1000, absolute: true }
export const AT_MILLISECONDS: TimeForm = { unit: 1, absolute: true }

const MOST = 2n ** 63n - 1n
const LEAST = -(2n ** 63n)

/**
 * Milliseconds from `now` (since the epoch) that argument i asks for; not exact beyond 2^53. Not more than 0: a point in time
 * that has passed, or none at all. NaN: Redis takes it neither as a number nor as a time, since it would not fit 64 bits.
 * https://redis.io/docs/latest/commands/expire/
 */
export function askedTime(args: ArgView, i: number, { unit, absolute }: TimeForm, now: number): number {
  const value = args.integer(i)
  // So far from 2^63 that no unit brings it there.
  if (value !== undefined) return value * unit - (absolute ? now : 0)
  const big = parseInt64(args.text(i, 21))
  if (big === undefined) return Number.NaN
  const time = big * BigInt(unit)
  const start = BigInt(now)
  if (time > (absolute ? MOST : MOST - start) || time < LEAST) return Number.NaN
  return Number(absolute ? time - start : time)
}

/** What one rule makes of times. All in milliseconds. */
export class RuleTimes {
  private readonly options: TtlRule
  /** Like Math.random. */
  private readonly random: () => number

  constructor(options: TtlRule, random: () => number) {
    this.options = options
    this.random = random
  }

  /** For a key that a write would leave without an expiry; undefined: it may stay so. */
  get default(): number | undefined {
    const time = this.options.default
    return time === undefined ? undefined : this.shortened(time)
  }

  /** For a key that its client wants to keep for good, where it may not. */
  get instead(): number | undefined {
    const time = this.options.default ?? this.options.max
    return time === undefined ? undefined : this.shortened(time)
  }

  /** What the client gets that asks for so much; the same, if the rule has nothing against it. */
  bound(asked: number): number {
    const { max, min } = this.options
    // Not a time, or one that is over: Redis shall refuse it, or delete the key.
    if (!(asked > 0)) return asked
    if (max !== undefined && asked > max) return this.shortened(max)
    return min !== undefined && asked < min ? min : asked
  }

  /**
   * A time as the command writes it. Whole seconds are rounded down, so that `max` holds, and up where it is for `min`, unless
   * that is over `max`; but not down to 0, which would be an error or delete the key.
   */
  written(time: number, { unit, absolute }: TimeForm, now: number): number {
    const { max, min } = this.options
    const start = absolute ? now : 0
    if (unit === 1) return start + time
    const least = Math.floor(start / unit) + 1
    const up = Math.ceil((start + time) / unit)
    if (time === min && (max === undefined || up * unit - start <= max)) return up
    return Math.max(least, Math.floor((start + time) / unit))
  }

  private shortened(time: number): number {
    const { jitter, min = 1 } = this.options
    return Math.max(min, Math.floor(time - time * jitter * this.random()))
  }
}
