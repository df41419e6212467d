import { Limits } from './limits/limits.ts'
import type { Policy, PolicyEnv } from './policy.ts'

/** Every policy of the process. */
export interface Policies {
  /** In the order in which they are asked. */
  readonly order: readonly Policy[]
  readonly limits: Limits
}

export function buildPolicies(env: PolicyEnv): Policies {
  const limits = new Limits(env)
  return { order: [limits], limits }
}
