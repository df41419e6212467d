import type { CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Session } from '../../session/session.ts'
import type { TenantPolicy } from '../policy.ts'
import type { Asking } from './asking.ts'
import { ClientLimits, type Planned } from './client-limits.ts'
import type { LimiterTime } from './limiter-time.ts'
import type { Counted, CountedByKey, Plan } from './plan.ts'
import type { Rule } from './rule.ts'
import type { Run } from './run.ts'

/** What the limits of all tenants share. */
export interface LimitsHost {
  readonly time: LimiterTime
  readonly asking: Asking
  readonly run: Run
  readonly keys: KeyList
  /** The tenant has no limits any more. */
  ended(tenant: string, rules: readonly Rule[]): void
}

/** The rate limits of one tenant in this process. */
export class TenantLimits implements TenantPolicy, Planned {
  readonly rules: readonly Rule[]
  readonly time: LimiterTime
  readonly asking: Asking
  readonly run: Run
  /** Of the request at hand. */
  readonly keys: KeyList
  private readonly tenant: string
  private readonly host: LimitsHost
  /** By spec.index, as they are needed. */
  private readonly plans: (Plan | undefined)[] = []
  /** Of metered rules, by which they are. */
  private readonly meterIndices = new Map<string, number>()

  constructor(tenant: string, rules: readonly Rule[], host: LimitsHost) {
    this.tenant = tenant
    this.rules = rules
    this.host = host
    this.time = host.time
    this.run = host.run
    this.asking = host.asking
    this.keys = host.keys
  }

  enter(session: Session): ClientLimits {
    return new ClientLimits(this, session)
  }

  planOf(spec: CommandSpec): Plan {
    const known = this.plans[spec.index]
    if (known !== undefined) return known
    const plan = this.plan(spec)
    this.plans[spec.index] = plan
    return plan
  }

  private plan({ index }: CommandSpec): Plan {
    const counted = this.rules
      .map((rule, at): Counted => ({ rule, at, cost: rule.cost[index] }))
      .filter(({ cost }) => cost > 0)
    const always = counted.filter(({ rule }) => rule.keys === undefined)
    const byKey = counted.flatMap((one): CountedByKey[] =>
      one.rule.keys === undefined ? [] : [{ ...one, pattern: one.rule.keys }],
    )
    const metered = always.filter(({ rule }) => rule.metered)
    const id = metered.map(({ at }) => at).join()
    const number = this.meterIndices.get(id) ?? this.meterIndices.size
    this.meterIndices.set(id, number)
    return { index: number, always, byKey, metered }
  }

  close(): void {
    this.host.ended(this.tenant, this.rules)
  }
}
