import type { CommandSpec } from '../../commands/spec.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import type { Rule } from './rule.ts'

/** The rules of a tenant, as treatments see them. */
export interface TtlRules {
  readonly tenant: Tenant
  /** Milliseconds since the epoch. */
  now(): number
  /** The first rule that matches argument i, a key. */
  ruleOf(request: PolicyRequest, i: number): Rule | undefined
}

/** What is done with a command that writes, for tenants with rules. One object for all tenants; table.ts says which. */
export interface Treatment {
  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict
}
