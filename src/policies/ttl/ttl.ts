import { isDeepStrictEqual } from 'node:util'
import type { Tenant } from '../../session/tenant.ts'
import type { Policy, PolicyEnv, TenantPolicy } from '../policy.ts'
import { Rule } from './rule.ts'
import { treatments } from './table.ts'
import { TenantTtl, type TtlHost } from './tenant-ttl.ts'
import type { Treatment } from './treatment.ts'
import type { TtlView } from './ttl-view.ts'

/** The policy `ttl`: how long keys live, of all tenants in this process. */
export class Ttl implements Policy, TtlHost {
  readonly name = 'ttl'
  readonly treatments: readonly (Treatment | undefined)[]
  readonly now: () => number
  private readonly random: () => number
  private readonly tenants = new Map<string, TenantTtl>()

  /** `now`, `random`: like Date.now and Math.random. */
  constructor({ table }: Pick<PolicyEnv, 'table'>, now = Date.now, random = Math.random) {
    this.treatments = treatments(table)
    this.now = now
    this.random = random
  }

  /** Rules that stay the same go on counting. */
  open(tenant: Tenant, _env: PolicyEnv, before: TenantPolicy | undefined): TenantPolicy | undefined {
    if (tenant.ttl.length === 0) return undefined
    const old = new Set((before as TenantTtl | undefined)?.rules)
    const rules = tenant.ttl.map((options) => {
      const same = [...old].find((rule) => isDeepStrictEqual(rule.options, options))
      if (same !== undefined) old.delete(same)
      return same ?? new Rule(options, this.random)
    })
    const ttl = new TenantTtl(tenant, rules, this)
    // In the order of the configuration of the day.
    this.tenants.delete(tenant.name)
    this.tenants.set(tenant.name, ttl)
    return ttl
  }

  ended({ tenant }: TenantTtl): void {
    this.tenants.delete(tenant.name)
  }

  /** Every rule, in the order of the configuration. */
  view(): readonly TtlView[] {
    return [...this.tenants.values()].flatMap(({ tenant, rules }) => rules.map((rule) => viewRule(tenant.name, rule)))
  }
}

function viewRule(tenant: string, rule: Rule): TtlView {
  const { options, dryRun, defaulted, clampedMax, clampedMin, persistDenied, persistClamped, failed } = rule
  return {
    tenant,
    keys: options.keys,
    dryRun,
    defaulted,
    clampedMax,
    clampedMin,
    persistDenied,
    persistClamped,
    failed,
  }
}
