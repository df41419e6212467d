import { type Meter, Meters } from '../../commands/delay.ts'
import { findKeys } from '../../commands/keys.ts'
import type { CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Session } from '../../session/session.ts'
import type { ClientPolicy, PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { bucketName } from './address-of.ts'
import type { Asker, Asking } from './asking.ts'
import { SHARED } from './buckets.ts'
import type { LimiterTime } from './limiter-time.ts'
import { BucketMeter, KeyMeter } from './meters.ts'
import type { Counted, CountedByKey, Plan } from './plan.ts'
import type { Rule } from './rule.ts'
import type { Run, RunMember } from './run.ts'

/** The limits of a tenant, as its clients need them. */
export interface Planned {
  readonly rules: readonly Rule[]
  readonly time: LimiterTime
  readonly asking: Asking
  /** Requests that have passed and are not counted yet. */
  readonly run: Run
  /** Of the request at hand. */
  readonly keys: KeyList
  planOf(spec: CommandSpec): Plan
}

/** All limits of its tenant, as one client meets them. */
export class ClientLimits implements ClientPolicy, Asker, RunMember {
  private readonly limits: Planned
  private readonly session: Session
  private readonly user: string
  private knownAddress: string | undefined = undefined
  /** By place of the rule: the bucket that the client uses whatever it asks for. */
  readonly slots: Int32Array
  /** By place of the rule, as they are needed. */
  private readonly meters: BucketMeter[] = []
  /** By Plan.index, the same. */
  private readonly planMeters: Meter[] = []
  /** The name of the bucket at hand, where a key names it. */
  private buf: Buffer = NONE
  private start = 0
  private end = 0

  constructor(limits: Planned, session: Session) {
    this.limits = limits
    this.session = session
    this.user = session.user
    this.slots = Int32Array.from(limits.rules, (rule) => this.hold(rule))
  }

  private hold(rule: Rule): number {
    const { per } = rule.options
    if (per === 'user') return rule.buckets.hold(this.user)
    return per === 'address' ? rule.buckets.hold(this.address) : SHARED
  }

  private get address(): string {
    const known = this.knownAddress ?? bucketName(this.session.address)
    this.knownAddress = known
    return known
  }

  name(rule: Rule): string {
    const { per } = rule.options
    if (per === 'match') return this.buf.toString('utf8', this.start, Math.min(this.end, this.start + NAME_BYTES))
    return per === 'user' ? this.user : this.address
  }

  /** As long as every rule has tokens, which is the rule, nothing is kept of what was taken from which. */
  onRequest(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict {
    const { run } = this.limits
    const plan = this.limits.planOf(spec)
    const { always, byKey } = plan
    if (always.length === 0 && byKey.length === 0) return 'go'
    const bytes = request.end - request.start
    const keyed = byKey.length > 0 && this.someKeyCounts(plan, spec, request)
    if (!keyed && run.passes(this, plan, bytes)) {
      ruling.meter = run.meter
      return 'go'
    }
    run.settle()
    const at = this.limits.time.reach()
    for (let i = 0; i < always.length; i++) {
      const counted = always[i]
      const { rule } = counted
      const wait = rule.buckets.take(this.slots[counted.at], rule.bytes ? bytes : counted.cost, at, rule.patience)
      if (wait !== 0) return this.slowly(plan, i, wait, spec, request, ruling)
      rule.allowed++
    }
    const meter = this.meterOf(plan)
    ruling.meter = meter
    if (!keyed) {
      run.follow(this, plan, at, meter)
      return 'go'
    }
    this.limits.asking.begin(at, spec.route !== 'local')
    return this.conclude(plan, this.takeByKeys(plan, request, ruling), always.length, bytes, ruling)
  }

  /** The rule at `from` has said `wait`, those in front of it nothing. */
  private slowly(
    plan: Plan,
    from: number,
    wait: number,
    spec: CommandSpec,
    request: PolicyRequest,
    ruling: Ruling,
  ): Verdict {
    const { asking, time } = this.limits
    const { always } = plan
    const bytes = request.end - request.start
    asking.begin(time.reach(), spec.route !== 'local')
    let passed = true
    for (let i = from; i < always.length && passed; i++) {
      const { rule, at, cost } = always[i]
      const slot = this.slots[at]
      if (slot === SHARED) this.findRoom(rule, at)
      const tokens = rule.bytes ? bytes : cost
      passed = i === from ? asking.judge(rule, slot, tokens, wait, this) : asking.take(rule, slot, tokens, this)
    }
    if (passed) ruling.meter = this.meterOf(plan)
    // Its keys have been looked for already.
    passed = passed && this.takeByKeys(plan, request, ruling)
    return this.conclude(plan, passed, from, bytes, ruling)
  }

  /** `silent`: so many rules of the plan have let the request pass without being noted. */
  private conclude(plan: Plan, passed: boolean, silent: number, bytes: number, ruling: Ruling): Verdict {
    const { asking, time } = this.limits
    if (passed && !asking.waits) {
      asking.pass()
      return 'go'
    }
    for (let i = 0; i < silent; i++) {
      const { rule, at, cost } = plan.always[i]
      rule.allowed--
      asking.taken.push(rule, this.slots[at], rule.bytes ? bytes : cost)
    }
    if (passed) {
      ruling.delay = asking.delay(time.clock.now)
      return 'wait'
    }
    asking.giveBack()
    ruling.meter = undefined
    ruling.refusal = asking.refusal
    return 'reply'
  }

  /** Most requests are none of these rules' business, and cost no more than to see that. */
  private someKeyCounts({ byKey }: Plan, spec: CommandSpec, request: PolicyRequest): boolean {
    const { args, argc, buf } = request
    const { keys } = this.limits
    if (spec.firstKey > 0 && spec.firstKey === spec.lastKey) {
      keys.count = 1
      keys.at[0] = spec.firstKey
    } else {
      findKeys(spec, request.view(), keys)
    }
    for (let i = 0; i < byKey.length; i++) {
      const { pattern } = byKey[i]
      for (let k = 0; k < keys.count && keys.at[k] < argc; k++) {
        const offset = 2 * keys.at[k]
        if (pattern.matches(buf, args[offset], args[offset + 1])) return true
      }
    }
    return false
  }

  /** Rules that look at keys, behind someKeyCounts(). False: one refuses the request. */
  private takeByKeys({ byKey }: Plan, request: PolicyRequest, ruling: Ruling): boolean {
    for (let i = 0; i < byKey.length; i++) if (!this.takeByKey(byKey[i], request, ruling)) return false
    return true
  }

  private takeByKey(counted: CountedByKey, { args, argc, buf, start, end }: PolicyRequest, ruling: Ruling): boolean {
    const { rule, at, pattern } = counted
    const { asking, keys } = this.limits
    let meter: KeyMeter | undefined
    const cost = rule.bytes ? end - start : counted.cost
    const matching = rule.options.per === 'match'
    for (let k = 0; k < keys.count && keys.at[k] < argc; k++) {
      const offset = 2 * keys.at[k]
      if (!pattern.part(buf, args[offset], args[offset + 1])) continue
      if (!matching) {
        // One request, one cost, however many of its keys match.
        if (this.slots[at] === SHARED) this.findRoom(rule, at)
        if (rule.metered) alsoMeter(ruling, this.meter(counted))
        return asking.take(rule, this.slots[at], cost, this)
      }
      this.buf = buf
      this.start = pattern.partStart
      this.end = pattern.partEnd
      if (!asking.take(rule, rule.buckets.find(buf, this.start, this.end), cost, this)) return false
      if (!rule.metered) continue
      meter ??= new KeyMeter(this.limits.time, rule)
      meter.add(buf.subarray(this.start, this.end))
    }
    if (meter !== undefined) alsoMeter(ruling, meter)
    return true
  }

  /** There was no room for a bucket of its own when it came; perhaps there is by now. */
  private findRoom(rule: Rule, at: number): void {
    this.slots[at] = this.hold(rule)
    if (this.slots[at] === SHARED) return
    delete this.meters[at]
    this.planMeters.length = 0
  }

  meterOf(plan: Plan): Meter | undefined {
    if (plan.metered.length === 0) return undefined
    const known = this.planMeters[plan.index]
    if (known !== undefined) return known
    const meters = plan.metered.map((counted) => this.meter(counted))
    const meter = meters.length === 1 ? meters[0] : new Meters(meters)
    this.planMeters[plan.index] = meter
    return meter
  }

  private meter({ rule, at }: Counted): BucketMeter {
    this.meters[at] ??= new BucketMeter(this.limits, rule, this.slots[at])
    return this.meters[at]
  }

  leave(): void {
    this.limits.run.settle()
    this.limits.rules.forEach((rule, at) => {
      const slot = this.slots[at]
      if (slot === SHARED) return
      this.meters[at]?.leave(this.name(rule))
      rule.buckets.release(slot)
    })
  }
}

function alsoMeter(ruling: Ruling, meter: Meter): void {
  ruling.meter = ruling.meter === undefined ? meter : new Meters([...ruling.meter.parts, meter])
}

/** Bytes of a key that a list of offenders shows. */
const NAME_BYTES = 128

const NONE = Buffer.alloc(0)
