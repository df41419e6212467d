import { type Meter, Meters } from '../commands/delay.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import type { ClientPolicy, Policy, PolicyEnv, PolicyRequest, Ruling, TenantPolicy, Verdict } from './policy.ts'

/** The policies of one client, in the order in which they are asked. */
class Chain implements ClientPolicy {
  private readonly policies: readonly ClientPolicy[]

  constructor(policies: readonly ClientPolicy[]) {
    this.policies = policies
  }

  /** The first that answers a request ends the round. */
  onRequest(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict {
    let verdict: Verdict = 'go'
    for (let i = 0; i < this.policies.length; i++) {
      const one = this.policies[i].onRequest(spec, request, ruling)
      if (one === 'reply') return one
      if (one === 'wait') verdict = one
    }
    return verdict
  }

  underWay(spec: CommandSpec): Meter | undefined {
    const meters = this.policies.map((policy) => policy.underWay?.(spec)).filter((meter) => meter !== undefined)
    return meters.length > 1 ? new Meters(meters.flatMap(({ parts }) => parts)) : meters[0]
  }

  leave(): void {
    for (const policy of this.policies) policy.leave()
  }
}

/** The policies of all tenants. */
export class Chains {
  private readonly kinds: readonly Policy[]
  private readonly env: PolicyEnv
  private tenants: ReadonlyMap<string, readonly (TenantPolicy | undefined)[]> = new Map()

  constructor(kinds: readonly Policy[], env: PolicyEnv) {
    this.kinds = kinds
    this.env = env
  }

  /** Compiles the policies of these tenants; what stays the same keeps its state. Clients have to enter anew. */
  renew(tenants: Iterable<Tenant>): void {
    const before = this.tenants
    const after = new Map<string, readonly (TenantPolicy | undefined)[]>()
    for (const tenant of tenants) {
      const old = before.get(tenant.name)
      after.set(
        tenant.name,
        this.kinds.map((kind, i) => kind.open(tenant, this.env, old?.[i])),
      )
    }
    for (const [name, policies] of before) {
      policies.forEach((policy, i) => {
        if (after.get(name)?.[i] === undefined) policy?.close()
      })
    }
    this.tenants = after
  }

  /** For a client that has logged in; undefined: no policy concerns it. */
  enter(session: Session): ClientPolicy | undefined {
    const policies = this.tenants.get(session.tenant?.name ?? '')?.filter((policy) => policy !== undefined) ?? []
    const entered = policies.map((policy) => policy.enter(session))
    return entered.length > 1 ? new Chain(entered) : entered[0]
  }
}
