import { Delay } from '../../commands/delay.ts'
import { PENDING } from './buckets.ts'
import type { LeasedBuckets } from './leased-buckets.ts'
import type { Rule } from './rule.ts'
import { Taken } from './taken.ts'

/** Who asks. */
export interface Asker {
  /** As the list of offenders against this rule shall have it. */
  name(rule: Rule): string
}

/** A bucket whose tokens are on their way. */
interface Pending {
  readonly rule: Rule
  readonly slot: number
  readonly cost: number
  readonly name: string
}

/**
 * One request in front of the rules of its tenant, as soon as one of them does not just let it pass: what it has taken,
 * and what it has to wait for. One object, reused.
 */
export class Asking {
  /** Why it is refused. */
  refusal = ''
  readonly taken = new Taken()
  /** Milliseconds until everything is there that was taken ahead of time. */
  private wait = 0
  private readonly delaying: Rule[] = []
  /** Those that would have refused it. */
  private readonly shadows: Rule[] = []
  private readonly pending: Pending[] = []
  /** The limiter's time. */
  private time = 0
  private mayWait = true

  /** `mayWait`: false for what Keyward answers itself, which goes nowhere and cannot be made to wait. */
  begin(time: number, mayWait: boolean): void {
    this.time = time
    this.mayWait = mayWait
    this.wait = 0
    this.taken.count = 0
    if (this.delaying.length > 0) this.delaying.length = 0
    if (this.shadows.length > 0) this.shadows.length = 0
    if (this.pending.length > 0) this.pending.length = 0
  }

  /** Does the request have to wait, though no rule refuses it? */
  get waits(): boolean {
    return this.wait > 0 || this.pending.length > 0
  }

  /** False: the rule refuses the request. `who`: asks. */
  take(rule: Rule, slot: number, cost: number, who: Asker): boolean {
    const wait = rule.buckets.take(slot, cost, this.time, rule.patience)
    if (wait !== 0) return this.judge(rule, slot, cost, wait, who)
    this.taken.push(rule, slot, cost)
    return true
  }

  /** The same, where the bucket has said something else than 0. */
  judge(rule: Rule, slot: number, cost: number, wait: number, who: Asker): boolean {
    if (wait === PENDING) return this.pend(rule, slot, cost, who)
    if (rule.options.action === 'shadow') {
      rule.offenders.note(who.name(rule))
      if (this.shadows.includes(rule)) return true
      this.shadows.push(rule)
      rule.shadowed++
      return true
    }
    if (wait <= rule.patience) {
      this.taken.push(rule, slot, cost)
      if (!this.mayWait) return true
      if (rule.waiting < rule.options.maxDelayed) {
        this.wait = Math.max(this.wait, wait)
        if (!this.delaying.includes(rule)) this.delaying.push(rule)
        return true
      }
    }
    return this.refuse(rule, wait, who)
  }

  private pend(rule: Rule, slot: number, cost: number, who: Asker): boolean {
    if (!this.mayWait || rule.options.action === 'shadow') {
      rule.buckets.charge(slot, cost, this.time)
      this.taken.push(rule, slot, cost)
      return true
    }
    if (rule.waiting >= rule.options.maxDelayed) return this.refuse(rule, LEASE_WAIT, who)
    this.pending.push({ rule, slot, cost, name: who.name(rule) })
    return true
  }

  private refuse(rule: Rule, wait: number, who: Asker): false {
    rule.rejected++
    rule.offenders.note(who.name(rule))
    this.refusal = rule.refusal(wait)
    return false
  }

  /** A request that is refused costs nothing. */
  giveBack(): void {
    this.taken.refund(this.time)
  }

  /** It goes on at once. */
  pass(): void {
    this.taken.allow(this.shadows)
  }

  /** The wait of a request that no rule refuses. `now`: clock milliseconds. */
  delay(now: number): Delay {
    const { wait, time } = this
    const pending = [...this.pending]
    const shadows = [...this.shadows]
    const taken = this.taken.copy()
    const waiting = new Set([...this.delaying, ...pending.map(({ rule }) => rule)])
    for (const rule of this.delaying) rule.delayed++
    for (const rule of waiting) rule.waiting++
    const due = now + wait
    const delay = new Delay(pending.length > 0 ? Number.POSITIVE_INFINITY : due, (dropped) => {
      for (const rule of waiting) rule.waiting--
      // What was never sent has cost nothing. (Of leases that have not come, awaitLeases() will say.)
      if (dropped && delay.refusal === undefined) taken.refund(time)
    })
    if (pending.length > 0) awaitLeases(delay, due, taken, pending, shadows, time)
    else taken.allow(shadows)
    return delay
  }
}

/** What a client is told to wait when nothing is known but that tokens are asked for. */
const LEASE_WAIT = 50

/** Settles `delay` when all leases have come, or one of them holds nothing for it. `taken`: what it has of other buckets. */
function awaitLeases(
  delay: Delay,
  due: number,
  taken: Taken,
  pending: readonly Pending[],
  shadows: readonly Rule[],
  time: number,
): void {
  let left = pending.length
  for (const { rule, slot, cost, name } of pending) {
    const buckets = rule.buckets as LeasedBuckets
    buckets.wait(slot, cost, time, delay, rule.patience, (wait) => {
      left--
      if (wait === 0) taken.push(rule, slot, cost)
      // Of a client that has left, or that another rule has refused meanwhile, nothing is kept.
      if (delay.over || delay.refusal !== undefined) {
        taken.refund(time)
      } else if (wait > 0) {
        taken.refund(time)
        rule.rejected++
        rule.offenders.note(name)
        delay.settle(due, rule.refusal(wait))
      } else if (left === 0) {
        taken.allow(shadows)
        delay.settle(due)
      }
    })
  }
}
