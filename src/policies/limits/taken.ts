import type { Rule } from './rule.ts'

/** What one request has taken so far, all of a rule together, so that it can be given back when a later rule refuses the request. */
export class Taken {
  count = 0
  private readonly rules: Rule[] = []
  private readonly slots: number[] = []
  private readonly costs: number[] = []

  push(rule: Rule, slot: number, cost: number): void {
    const at = this.count++
    this.rules[at] = rule
    this.slots[at] = slot
    this.costs[at] = cost
  }

  /** Gives everything back: a request that is refused costs nothing. `time`: of the limiter. */
  refund(time: number): void {
    for (let i = this.count - 1; i >= 0; i--) this.rules[i].buckets.refund(this.slots[i], this.costs[i], time)
    this.count = 0
  }

  /** The request goes on: each rule but these has let it pass. */
  allow(but: readonly Rule[]): void {
    for (let i = 0; i < this.count; i++) {
      const rule = this.rules[i]
      // A request whose keys name several buckets is one request.
      if ((i === 0 || rule !== this.rules[i - 1]) && !but.includes(rule)) rule.allowed++
    }
  }

  copy(): Taken {
    const copy = new Taken()
    for (let i = 0; i < this.count; i++) copy.push(this.rules[i], this.slots[i], this.costs[i])
    return copy
  }
}
