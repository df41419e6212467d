import { isDeepStrictEqual } from 'node:util'
import { KeyList } from '../../commands/spec.ts'
import type { LimitRule, Tenant } from '../../session/tenant.ts'
import type { Policy, PolicyEnv, TenantPolicy } from '../policy.ts'
import { Asking } from './asking.ts'
import type { Buckets } from './buckets.ts'
import { costsOf } from './costs.ts'
import { LeasedBuckets } from './leased-buckets.ts'
import { Leases } from './leases.ts'
import type { LimitView } from './limit-view.ts'
import { LimiterTime } from './limiter-time.ts'
import { LocalBuckets } from './local-buckets.ts'
import { Rule } from './rule.ts'
import { Run } from './run.ts'
import { type LimitsHost, TenantLimits } from './tenant-limits.ts'

/** The policy `limits`: rate limits of all tenants in this process. */
export class Limits implements Policy, LimitsHost {
  readonly name = 'limits'
  readonly time: LimiterTime
  readonly asking = new Asking()
  readonly run: Run
  readonly keys = new KeyList()
  /** Of all global rules. */
  readonly leases: Leases
  private readonly env: PolicyEnv
  private readonly tenants = new Map<string, TenantLimits>()
  /** Rules that count alike share what they cost: thousands of tenants may have the same. */
  private readonly costs = new Map<string, Float64Array>()
  private readonly timer: NodeJS.Timeout

  constructor(env: PolicyEnv) {
    this.env = env
    this.time = new LimiterTime(env.clock, () => this.leases.paused())
    this.run = new Run(env.clock)
    this.leases = new Leases({
      now: () => this.catchUp(),
      after,
      random: Math.random,
      storeOf: (upstream) => env.leaseStore(upstream),
      fault: (error) => env.fault(error),
    })
    this.timer = setInterval(() => this.sweep(), SWEEP)
    this.timer.unref()
  }

  open(tenant: Tenant, _env: PolicyEnv, before: TenantPolicy | undefined): TenantPolicy | undefined {
    const old = before as TenantLimits | undefined
    this.run.settle()
    if (tenant.limits.length === 0) return undefined
    const kept = new Set<Rule>()
    const rules = tenant.limits.map((options) => {
      const same = old?.rules.find(
        (rule) => rule.upstream === tenant.upstream && isDeepStrictEqual(rule.options, options),
      )
      if (same !== undefined) kept.add(same)
      return same ?? new Rule(options, tenant.upstream, this.bucketsOf(options, tenant), this.costsOf(options))
    })
    this.closed(old?.rules.filter((rule) => !kept.has(rule)) ?? [])
    const limits = new TenantLimits(tenant.name, rules, this)
    this.tenants.set(tenant.name, limits)
    return limits
  }

  private costsOf(options: LimitRule): Float64Array {
    const id = JSON.stringify([options.commands, options.costs])
    const known = this.costs.get(id)
    if (known !== undefined) return known
    const costs = costsOf(options, this.env.table)
    // Of configurations long gone.
    if (this.costs.size === MOST_COSTS) this.costs.clear()
    this.costs.set(id, costs)
    return costs
  }

  private bucketsOf(options: LimitRule, { name, upstream }: Tenant): Buckets {
    if (options.scope === 'local') return new LocalBuckets(options)
    return new LeasedBuckets(options, { leases: this.leases, tenant: name, upstream })
  }

  ended(tenant: string, rules: readonly Rule[]): void {
    this.tenants.delete(tenant)
    this.closed(rules)
  }

  /** These rules are no more. */
  private closed(rules: readonly Rule[]): void {
    for (const { buckets } of rules) if (buckets instanceof LeasedBuckets) this.leases.forget(buckets)
  }

  /** The time, after all that has passed is counted. */
  private catchUp(): number {
    this.run.settle()
    return this.time.at(this.env.clock.tick())
  }

  private sweep(): void {
    const time = this.catchUp()
    for (const { rules } of this.tenants.values()) for (const rule of rules) rule.buckets.sweep(time)
  }

  view(): readonly LimitView[] {
    const time = this.catchUp()
    return [...this.tenants].flatMap(([tenant, { rules }]) => rules.map((rule) => viewRule(tenant, rule, time)))
  }

  stop(): void {
    clearInterval(this.timer)
    this.time.stop()
    this.leases.stop()
  }
}

/** Calls `fn` in `delay` milliseconds, unless it is called off by what is returned. */
function after(delay: number, fn: () => void): () => void {
  if (delay <= 0) {
    const soon = setImmediate(fn)
    return () => clearImmediate(soon)
  }
  const timer = setTimeout(fn, Math.ceil(delay))
  timer.unref()
  return () => clearTimeout(timer)
}

/** Milliseconds between two looks for buckets that nobody needs. */
const SWEEP = 1000

/** Different ways of counting that are remembered. */
const MOST_COSTS = 1000

/** Names of offenders that are shown. */
const TOP = 20

function viewRule(tenant: string, rule: Rule, time: number): LimitView {
  const { options, buckets, allowed, delayed, rejected, shadowed, waiting } = rule
  const { name, per, scope, action, unit, rateText } = options
  const leased = buckets instanceof LeasedBuckets ? buckets : undefined
  return {
    tenant,
    rule: name,
    per,
    scope,
    action,
    unit,
    rate: rateText,
    allowed: allowed - delayed,
    delayed,
    rejected,
    shadowed,
    waiting,
    tokens: per === 'tenant' ? buckets.tokens(0, time) : undefined,
    buckets: buckets.count,
    mostBuckets: options.buckets,
    overflows: buckets.overflows,
    grants: leased?.leased ?? 0,
    failing: leased?.failing(time) ?? false,
    get offenders() {
      return rule.offenders.top(TOP)
    },
  }
}
