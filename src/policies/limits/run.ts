import type { Plan } from './plan.ts'

/** Requests of a run that are settled together, at most. */
const LONGEST = 64

/**
 * A pipeline: requests of one client that are of one plan and were read at one moment, directly after each other. From the
 * second on they are let pass by a count of what every bucket has for them, and what they took is taken when the run is over:
 * before anybody else asks these buckets anything. So it decides as if each had been asked, and at a depth of 16 the rules
 * of most requests cost a comparison.
 */
export class Run {
  private owner: object | undefined = undefined
  private plan: Plan | undefined = undefined
  private slots: ArrayLike<number> = []
  /** Clock time, and the limiter's. */
  private now = 0
  private time = 0
  /** Requests and bytes of requests that may still pass. */
  private left = 0
  private bytesLeft = 0
  /** Those that have passed and are not settled. */
  private count = 0
  private bytes = 0

  /** Does a request of so many bytes belong to the run, and pass? */
  passes(owner: object, plan: Plan, now: number, bytes: number): boolean {
    if (this.left === 0 || owner !== this.owner || plan !== this.plan || now !== this.now) return false
    if (bytes >= this.bytesLeft) return false
    this.left--
    this.bytesLeft -= bytes
    this.count++
    this.bytes += bytes
    return true
  }

  /** A request that did not belong to it has passed, behind settle(): it is the first of a new run, or goes on with the last. */
  follow(owner: object, plan: Plan, now: number, time: number, slots: ArrayLike<number>): void {
    if (owner === this.owner && plan === this.plan && now === this.now) {
      this.open()
      return
    }
    this.owner = owner
    this.plan = plan
    this.now = now
    this.time = time
    this.slots = slots
  }

  private open(): void {
    let left = LONGEST
    let bytesLeft = Number.POSITIVE_INFINITY
    for (const { rule, at, cost } of this.plan?.always ?? []) {
      const spare = rule.buckets.spare(this.slots[at], this.time)
      if (rule.bytes) bytesLeft = Math.min(bytesLeft, spare)
      else left = Math.min(left, Math.floor(spare / cost))
    }
    this.left = Math.max(0, left)
    this.bytesLeft = bytesLeft
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
