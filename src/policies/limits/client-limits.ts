import { type Meter, Meters } from '../../commands/delay.ts'
import { findKeys } from '../../commands/keys.ts'
import type { CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Session } from '../../session/session.ts'
import type { ClientPolicy, PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { bucketName } from './address-of.ts'
import type { Asker, Asking } from './asking.ts'
import { SHARED } from './buckets.ts'
import type { KeyPart } from './key-part.ts'
import type { LimiterTime } from './limiter-time.ts'
import { BucketMeter, KeyMeter } from './meters.ts'
import type { Counted, Plan } from './plan.ts'
import type { Rule } from './rule.ts'
import type { Run } from './run.ts'

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
export class ClientLimits implements ClientPolicy, Asker {
  private readonly limits: Planned
  private readonly session: Session
  private readonly user: string
  private knownAddress: string | undefined = undefined
  /** By place of the rule: the bucket that the client uses whatever it asks for. */
  private readonly slots: Int32Array
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
  onRequest(spec: CommandSpec, request: PolicyRequest, now: number, ruling: Ruling): Verdict {
    const { run, time } = this.limits
    const plan = this.limits.planOf(spec)
    const { always, byKey } = plan
    if (always.length === 0 && byKey.length === 0) return 'go'
    const bytes = request.end - request.start
    let keyed = false
    if (byKey.length > 0) {
      this.findKeys(spec, request)
      keyed = this.someKeyCounts(plan, request)
    }
    if (!keyed && run.passes(this, plan, now, bytes)) {
      if (plan.metered.length > 0) ruling.meter = this.planMeter(plan)
      return 'go'
    }
    run.settle()
    const at = time.at(now)
    for (let i = 0; i < always.length; i++) {
      const counted = always[i]
      const { rule } = counted
      const wait = rule.buckets.take(this.slots[counted.at], rule.bytes ? bytes : counted.cost, at, rule.patience)
      if (wait !== 0) return this.slowly(plan, i, wait, spec, request, now, ruling)
      rule.allowed++
    }
    if (plan.metered.length > 0) ruling.meter = this.planMeter(plan)
    if (!keyed) {
      run.follow(this, plan, now, at, this.slots)
      return 'go'
    }
    this.limits.asking.begin(at, spec.route !== 'local')
    return this.conclude(plan, this.takeByKeys(plan, request, ruling), always.length, bytes, now, ruling)
  }

  /** The rule at `from` has said `wait`, those in front of it nothing. */
  private slowly(
    plan: Plan,
    from: number,
    wait: number,
    spec: CommandSpec,
    request: PolicyRequest,
    now: number,
    ruling: Ruling,
  ): Verdict {
    const { asking, time } = this.limits
    const { always } = plan
    const bytes = request.end - request.start
    asking.begin(time.at(now), spec.route !== 'local')
    let passed = true
    for (let i = from; i < always.length && passed; i++) {
      const { rule, at, cost } = always[i]
      const slot = this.slots[at]
      if (slot === SHARED) this.findRoom(rule, at)
      const tokens = rule.bytes ? bytes : cost
      passed = i === from ? asking.judge(rule, slot, tokens, wait, this) : asking.take(rule, slot, tokens, this)
    }
    if (passed && plan.metered.length > 0) ruling.meter = this.planMeter(plan)
    // Its keys have been looked for already.
    passed = passed && this.takeByKeys(plan, request, ruling)
    return this.conclude(plan, passed, from, bytes, now, ruling)
  }

  /** `silent`: so many rules of the plan have let the request pass without being noted. */
  private conclude(plan: Plan, passed: boolean, silent: number, bytes: number, now: number, ruling: Ruling): Verdict {
    const { asking } = this.limits
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
      ruling.delay = asking.delay(now)
      return 'wait'
    }
    asking.giveBack()
    ruling.meter = undefined
    ruling.refusal = asking.refusal
    return 'reply'
  }

  private findKeys(spec: CommandSpec, request: PolicyRequest): void {
    const { keys } = this.limits
    if (spec.firstKey > 0 && spec.firstKey === spec.lastKey) {
      keys.count = 1
      keys.at[0] = spec.firstKey
    } else {
      findKeys(spec, request.view(), keys)
    }
  }

  /** Most requests are none of these rules' business, and cost no more than to see that. */
  private someKeyCounts({ byKey }: Plan, { args, argc, buf }: PolicyRequest): boolean {
    const { keys } = this.limits
    for (let i = 0; i < byKey.length; i++) {
      const pattern = byKey[i].rule.keys as KeyPart
      for (let k = 0; k < keys.count && keys.at[k] < argc; k++) {
        if (pattern.matches(buf, args[2 * keys.at[k]], args[2 * keys.at[k] + 1])) return true
      }
    }
    return false
  }

  /** Rules that look at keys, behind findKeys(). False: one refuses the request. */
  private takeByKeys({ byKey }: Plan, request: PolicyRequest, ruling: Ruling): boolean {
    for (let i = 0; i < byKey.length; i++) if (!this.takeByKey(byKey[i], request, ruling)) return false
    return true
  }

  private takeByKey(counted: Counted, { args, argc, buf, start, end }: PolicyRequest, ruling: Ruling): boolean {
    const { rule, at } = counted
    const { asking, keys, time } = this.limits
    let meter: KeyMeter | undefined
    const pattern = rule.keys as KeyPart
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
      meter ??= new KeyMeter(time, rule)
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

  private planMeter(plan: Plan): Meter {
    const known = this.planMeters[plan.index]
    if (known !== undefined) return known
    const meters = plan.metered.map((counted) => this.meter(counted))
    const meter = meters.length === 1 ? meters[0] : new Meters(meters)
    this.planMeters[plan.index] = meter
    return meter
  }

  private meter({ rule, at }: Counted): BucketMeter {
    this.meters[at] ??= new BucketMeter(this.limits.time, rule, this.slots[at])
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
