import type { CacheRuleView, CacheView } from '../../policies/cache/cache-view.ts'
import { OTHER } from '../tenant-labels.ts'

/** A near cache as metrics show it, or what all those of tenants without a label of their own add up to. */
export interface CacheNumbers {
  readonly tenant: string
  bytes: number
  memory: number
  entries: number
  evictions: number
  rejected: number
  /** Of several, the largest. */
  behind: number
  readonly rules: RuleNumbers[]
}

/** One rule of it; of others all together. */
export type RuleNumbers = { -readonly [field in keyof CacheRuleView]: CacheRuleView[field] }

/** `known`: the label of each tenant. What shares a label is one, whatever the rules are, so that series stay few. */
export function cacheNumbers(
  caches: readonly CacheView[],
  known: ReadonlyMap<string, string>,
): readonly CacheNumbers[] {
  const result: CacheNumbers[] = []
  let others: CacheNumbers | undefined
  for (const cache of caches) {
    const label = known.get(cache.tenant) ?? OTHER
    if (label !== OTHER) result.push({ ...cache, tenant: label, rules: cache.rules.map((rule) => ({ ...rule })) })
    else {
      others ??= { ...NOTHING, rules: [{ ...NO_REQUESTS }] }
      add(others, cache)
    }
  }
  if (others !== undefined) result.push(others)
  return result
}

const NO_REQUESTS: RuleNumbers = {
  keys: OTHER,
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

const NOTHING = { tenant: OTHER, bytes: 0, memory: 0, entries: 0, evictions: 0, rejected: 0, behind: 0 }

function add(sum: CacheNumbers, more: CacheView): void {
  sum.bytes += more.bytes
  sum.memory += more.memory
  sum.entries += more.entries
  sum.evictions += more.evictions
  sum.rejected += more.rejected
  sum.behind = Math.max(sum.behind, more.behind)
  for (const rule of more.rules) addRule(sum.rules[0], rule)
}

function addRule(sum: RuleNumbers, more: CacheRuleView): void {
  sum.hits += more.hits
  sum.staleServed += more.staleServed
  sum.misses += more.misses
  sum.crowded += more.crowded
  sum.coalesced += more.coalesced
  sum.stored += more.stored
  sum.skipped += more.skipped
  sum.invalidations += more.invalidations
  sum.expired += more.expired
}
