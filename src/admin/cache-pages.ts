import type { CacheRuleView, CacheView } from '../policies/cache/cache-view.ts'
import type { TtlView } from '../policies/ttl/ttl-view.ts'

/* What the near caches and the times to live do, for programs: /cache and /ttl. */

/** Caches, and rules, on one page. Of thousands of tenants nobody reads all. */
const MOST = 1000

/** For /cache. `tenant`: of this one only. `more`: caches that are left out, which are those that were asked least. */
export function cachePage(all: readonly CacheView[], tenant: string | undefined): object {
  const { shown, more } = chosen(all, tenant, askedFor)
  const caches = shown.map(({ behind, ...cache }) => ({
    ...cache,
    // JSON has no infinity: null is "not heard of".
    behind: Number.isFinite(behind) ? behind : null,
  }))
  return { caches, more }
}

/** For /ttl. `more`: rules that are left out, which are those that did least. */
export function ttlPage(all: readonly TtlView[], tenant: string | undefined): object {
  const { shown, more } = chosen(all, tenant, done)
  return { rules: shown, more }
}

function chosen<T extends { readonly tenant: string }>(
  all: readonly T[],
  tenant: string | undefined,
  weight: (one: T) => number,
): { shown: readonly T[]; more: number } {
  const those = tenant === undefined ? all : all.filter((one) => one.tenant === tenant)
  if (those.length <= MOST) return { shown: those, more: 0 }
  return { shown: [...those].sort((a, b) => weight(b) - weight(a)).slice(0, MOST), more: those.length - MOST }
}

function askedFor({ rules }: CacheView): number {
  return rules.reduce((sum, rule) => sum + requestsOf(rule), 0)
}

/** Each request once. */
export function requestsOf({ hits, staleServed, misses, coalesced }: CacheRuleView): number {
  return hits + staleServed + misses + coalesced
}

function done({ defaulted, clampedMax, clampedMin, persistDenied, persistClamped, failed }: TtlView): number {
  return defaulted + clampedMax + clampedMin + persistDenied + persistClamped + failed
}
