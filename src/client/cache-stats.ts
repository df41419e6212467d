import type { CacheStats } from '../commands/views.ts'
import type { CacheView } from '../policies/cache/cache-view.ts'

/** The near caches of all tenants; policies/cache/ fills it. */
export interface NearCaches {
  /** undefined: the tenant has none. */
  viewOf(tenant: string): CacheView | undefined
  /** Drops entries of all databases of the tenant, or those of keys that match; returns how many. */
  flush(tenant: string, pattern: Buffer | undefined): number
}

const NOTHING = {
  hits: 0,
  staleServed: 0,
  misses: 0,
  crowded: 0,
  coalesced: 0,
  stored: 0,
  skipped: 0,
  invalidations: 0,
  expired: 0,
}

/** A tenant's cache as CACHE.STATS shows it: its rules added up, in the order in which they are asked for. */
export function cacheStats(view: CacheView | undefined): CacheStats {
  const { bytes = 0, memory = 0, entries = 0, evictions = 0, rejected = 0, rules = [] } = view ?? {}
  const behind = view === undefined || !Number.isFinite(view.behind) ? undefined : view.behind
  const sum = { ...NOTHING }
  for (const rule of rules) {
    for (const field of Object.keys(sum) as (keyof typeof sum)[]) sum[field] += rule[field]
  }
  return { ...sum, rejected, evictions, entries, bytes, memory, behind }
}
