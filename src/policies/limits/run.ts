import type { Meter } from '../../commands/delay.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Plan } from './plan.ts'

/** Requests of a run, at most. */
const LONGEST = 64
/** Milliseconds that a run lasts, at most. */
const LASTING = 1

/** Whose requests they are. */
export interface RunMember {
  /** By place of the rule: the bucket that it uses. */
  readonly slots: ArrayLike<number>
  /** For the replies to its requests of this plan. */
  meterOf(plan: Plan): Meter | undefined
}

/**
 * Requests of one plan, directly after each other and on the same buckets: a pipeline, or clients of one tenant and address in
 * turn. From the second on they are let pass by a count of what every bucket had for them, and what they took is taken when
 * the run is over: before anybody else asks these buckets anything. It is as if all of them had come when it began, at most a
 * millisecond earlier; who does not pass is judged anew, by the clock of now. So the rules of most requests cost a few
 * comparisons, and the buckets, which are not in the processor's caches, are looked at once for many of them.
 */
export class Run {
  /** For the reply to the request that has passed. */
  meter: Meter | undefined = undefined
  private readonly clock: Clock
  private member: RunMember | undefined = undefined
  private plan: Plan | undefined = undefined
  private slots: ArrayLike<number> = []
  /** The limiter's time at the beginning, and the clock's at which it is over. */
  private time = 0
  private until = 0
  /** Requests and bytes of requests that may still pass. */
  private left = 0
  private bytesLeft = 0
  /** Those that have passed and are not settled. */
  private count = 0
  private bytes = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Does a request of so many bytes belong to the run, and pass? Then `meter` is its. */
  passes(member: RunMember, plan: Plan, bytes: number): boolean {
    if (this.left < 1 || plan !== this.plan || bytes >= this.bytesLeft || this.clock.now > this.until) return false
    if (member !== this.member) {
      if (!this.hasBucketsOf(member, plan)) return false
      this.member = member
      this.meter = member.meterOf(plan)
    }
    this.left--
    this.bytesLeft -= bytes
    this.count++
    this.bytes += bytes
    return true
  }

  private hasBucketsOf(member: RunMember, { always }: Plan): boolean {
    for (let i = 0; i < always.length; i++) {
      const { at } = always[i]
      if (member.slots[at] !== this.slots[at]) return false
    }
    return true
  }

  /**
   * A request that did not belong to it has passed, behind settle(). When it could have been the next one, there will be more:
   * a run begins, at limiter's time `time`.
   */
  follow(member: RunMember, plan: Plan, time: number, meter: Meter | undefined): void {
    if (plan === this.plan && this.hasBucketsOf(member, plan)) this.begin(plan, time)
    this.member = member
    this.plan = plan
    this.slots = member.slots
    this.meter = meter
  }

  private begin({ always }: Plan, time: number): void {
    this.time = time
    this.until = this.clock.now + LASTING
    let left = LONGEST
    let bytesLeft = Number.POSITIVE_INFINITY
    for (let i = 0; i < always.length; i++) {
      const { rule, at, cost } = always[i]
      const spare = rule.buckets.spare(this.slots[at], time)
      if (rule.bytes) bytesLeft = Math.min(bytesLeft, spare)
      else left = Math.min(left, Math.floor(spare / cost))
    }
    this.left = left
    this.bytesLeft = bytesLeft
  }

  /** A reply has cost tokens, perhaps of the run's buckets. */
  charged(tokens: number, areBytes: boolean): void {
    if (areBytes) this.bytesLeft -= tokens
    else this.left -= tokens
  }

  /** Takes what those that have passed cost. */
  settle(): void {
    this.left = 0
    const { count, bytes, time } = this
    if (count === 0) return
    this.count = 0
    this.bytes = 0
    for (const { rule, at, cost } of this.plan?.always ?? []) {
      rule.allowed += count
      rule.buckets.charge(this.slots[at], rule.bytes ? bytes : count * cost, time)
    }
  }
}
