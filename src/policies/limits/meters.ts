import type { Meter } from '../../commands/delay.ts'
import type { LimiterTime } from './limiter-time.ts'
import type { Rule } from './rule.ts'

/** Charges replies to one bucket. */
export class BucketMeter implements Meter {
  readonly parts = [this]
  private readonly time: LimiterTime
  private readonly rule: Rule
  private slot: number
  /** Whose slot it is, once nobody holds it any more. */
  private name: string | undefined = undefined

  constructor(time: LimiterTime, rule: Rule, slot: number) {
    this.time = time
    this.rule = rule
    this.slot = slot
  }

  replied(bytes: number): void {
    const { rule, name } = this
    const cost = rule.replyCost(bytes)
    if (cost === 0) return
    if (name === undefined) {
      rule.buckets.charge(this.slot, cost, this.time.now)
      return
    }
    const slot = rule.buckets.hold(name)
    rule.buckets.charge(slot, cost, this.time.now)
    rule.buckets.release(slot)
  }

  /** The slot may be another's from now on; what is still under way is charged by name. */
  leave(name: string): void {
    this.name = name
  }
}

/** The same of a bucket that was chosen by a key: by the time of the reply it may have another slot. */
export class KeyMeter implements Meter {
  readonly parts = [this]
  private readonly time: LimiterTime
  private readonly rule: Rule
  private readonly part: Buffer

  /** `part`: the name of the bucket, to keep. */
  constructor(time: LimiterTime, rule: Rule, part: Buffer) {
    this.time = time
    this.rule = rule
    this.part = part
  }

  replied(bytes: number): void {
    const { rule, part } = this
    const cost = rule.replyCost(bytes)
    if (cost > 0) rule.buckets.charge(rule.buckets.find(part, 0, part.length), cost, this.time.now)
  }
}
