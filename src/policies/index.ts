import { Cache } from './cache/cache.ts'
import { Limits } from './limits/limits.ts'
import type { Policy, PolicyEnv } from './policy.ts'
import { Ttl } from './ttl/ttl.ts'

/** Every policy of the process. */
export interface Policies {
  /** In the order in which they are asked. */
  readonly order: readonly Policy[]
  readonly limits: Limits
  readonly ttl: Ttl
  readonly cache: Cache
}

export function buildPolicies(env: PolicyEnv): Policies {
  const limits = new Limits(env)
  const ttl = new Ttl(env)
  const cache = new Cache(env)
  return { order: [limits, ttl, cache], limits, ttl, cache }
}
