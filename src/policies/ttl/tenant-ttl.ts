import type { CommandSpec } from '../../commands/spec.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { ClientPolicy, PolicyRequest, Ruling, TenantPolicy, Verdict } from '../policy.ts'
import type { Rule } from './rule.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/** What the rules of all tenants share. */
export interface TtlHost {
  /** By spec.index. */
  readonly treatments: readonly (Treatment | undefined)[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The tenant has no rules any more. */
  ended(ttl: TenantTtl): void
}

/** The rules of one tenant. Nothing of it belongs to one client, so all have the same. */
export class TenantTtl implements TenantPolicy, ClientPolicy, TtlRules {
  readonly tenant: Tenant
  readonly rules: readonly Rule[]
  private readonly host: TtlHost

  constructor(tenant: Tenant, rules: readonly Rule[], host: TtlHost) {
    this.tenant = tenant
    this.rules = rules
    this.host = host
  }

  enter(): ClientPolicy {
    return this
  }

  onRequest(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict {
    const treatment = this.host.treatments[spec.index]
    return treatment === undefined ? 'go' : treatment.onRequest(spec, request, this, ruling)
  }

  ruleOf({ buf, args }: PolicyRequest, i: number): Rule | undefined {
    const { rules } = this
    for (let r = 0; r < rules.length; r++) {
      const rule = rules[r]
      if (rule.pattern.matches(buf, args[2 * i], args[2 * i + 1])) return rule
    }
    return undefined
  }

  now(): number {
    return this.host.now()
  }

  leave(): void {}

  close(): void {
    this.host.ended(this)
  }
}
