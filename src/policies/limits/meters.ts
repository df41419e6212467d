import type { Meter } from '../../commands/delay.ts'
import type { LimiterTime } from './limiter-time.ts'
import type { Rule } from './rule.ts'
import type { Run } from './run.ts'

/** Charges replies to one bucket. */
export class BucketMeter implements Meter {
  readonly parts = [this]
  private readonly time: LimiterTime
  private readonly run: Run
  private readonly rule: Rule
  private slot: number
  /** Whose slot it is, once nobody holds it any more. */
  private name: string | undefined = undefined

  constructor({ time, run }: { readonly time: LimiterTime; readonly run: Run }, rule: Rule, slot: number) {
    this.time = time
    this.run = run
    this.rule = rule
    this.slot = slot
  }

  replied(bytes: number): void {
    const { rule, name } = this
    const cost = rule.replyCost(bytes)
    if (cost === 0) return
    this.run.charged(cost, rule.bytes)
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

/** The same of the buckets that keys have named: by the time of the reply they may have other slots. */
export class KeyMeter implements Meter {
  readonly parts = [this]
  private readonly time: LimiterTime
  private readonly rule: Rule
  private readonly names: Buffer[] = []

  constructor(time: LimiterTime, rule: Rule) {
    this.time = time
    this.rule = rule
  }

  /** One more name, which is copied. */
  add(name: Buffer): void {
    this.names.push(Buffer.from(name))
  }

  replied(bytes: number): void {
    const { rule } = this
    const cost = rule.replyCost(bytes)
    if (cost === 0) return
    for (const name of this.names) rule.buckets.charge(rule.buckets.find(name, 0, name.length), cost, this.time.now)
  }
}
