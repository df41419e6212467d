import type { CacheNumbers, RuleNumbers } from './cache-numbers.ts'
import { type Definition, type Kind, seconds } from './definition.ts'

/** Near caches. The label `rule` is a pattern of the configuration; names of keys are the clients' to choose, so they are no labels. */
export const CACHE_METRICS: readonly Definition[] = [
  {
    name: 'keyward_cache_requests_total',
    help: 'Reads that the cache could have answered. hit, stale (the upstream was away): it did. miss: fetched. coalesced: waited for the fetch of another. crowded: sent upstream, as `maxFetches` or `maxFollowers` was reached.',
    kind: 'counter',
    labels: ['tenant', 'rule', 'outcome'],
    *samples({ caches }) {
      for (const { tenant, rules } of caches) {
        for (const rule of rules) {
          for (const [outcome, count] of outcomes(rule)) yield [{ tenant, rule: rule.keys, outcome }, count]
        }
      }
    },
  },
  ofRule('stored_total', 'Replies that were kept.', ({ stored }) => stored),
  ofRule(
    'skipped_total',
    'Replies that were not kept: as many as `maxFetches` waited for the times to live of their keys, or many that were large.',
    ({ skipped }) => skipped,
  ),
  ofRule(
    'invalidations_total',
    'Entries that were found outdated: their key had been written, or may have been.',
    ({ invalidations }) => invalidations,
  ),
  ofRule('expired_total', 'Entries that were found past their end.', ({ expired }) => expired),
  ofCache('evictions_total', 'counter', 'Entries that made room for others.', ({ evictions }) => evictions),
  ofCache(
    'rejected_total',
    'counter',
    'Replies that were not kept: what is there is asked for more often, or they are too large.',
    ({ rejected }) => rejected,
  ),
  ofCache('entries', 'gauge', 'Replies that are kept.', ({ entries }) => entries),
  ofCache('bytes', 'gauge', 'What they take, with what it costs to keep them.', ({ bytes }) => bytes),
  ofCache('bytes_allowed', 'gauge', 'The most that may be: `memory` of the cache.', ({ memory }) => memory),
  ofCache(
    'behind_seconds',
    'gauge',
    'By how much a hit may be behind writes of others; +Inf: they are not heard of. Above `maxStaleness` nothing is served.',
    ({ behind }) => seconds(behind),
  ),
]

/** Each request in one of them. */
function outcomes({ hits, staleServed, misses, coalesced, crowded }: RuleNumbers) {
  return [
    ['hit', hits],
    ['stale', staleServed],
    ['miss', misses - crowded],
    ['coalesced', coalesced],
    ['crowded', crowded],
  ] as const
}

function ofRule(name: string, help: string, value: (rule: RuleNumbers) => number): Definition {
  return {
    name: `keyward_cache_${name}`,
    help,
    kind: 'counter',
    labels: ['tenant', 'rule'],
    *samples({ caches }) {
      for (const { tenant, rules } of caches) {
        for (const rule of rules) yield [{ tenant, rule: rule.keys }, value(rule)]
      }
    },
  }
}

function ofCache(
  name: string,
  kind: Kind,
  help: string,
  value: (cache: CacheNumbers) => number | undefined,
): Definition {
  return {
    name: `keyward_cache_${name}`,
    help,
    kind,
    labels: ['tenant'],
    *samples({ caches }) {
      for (const cache of caches) yield [{ tenant: cache.tenant }, value(cache)]
    },
  }
}
