import type { CacheOptions, CacheRule } from '../session/tenant.ts'
import type { CacheShape } from './cache-schema.ts'
import { checkFirstMatch } from './first-match.ts'
import type { Path, Report } from './problem.ts'
import { formatDuration, formatSize } from './units.ts'

/** Below it hardly a value fits. */
const LEAST_MEMORY = 64 * 1024

/** Upstreams are heard from every 250 ms, so with less, entries would be out of date half of the time. */
const LEAST_STALENESS = 500

/** Checks the cache of one tenant. Rules that lack what was reported as wrong are left out. */
export function resolveCache(shape: CacheShape | undefined, path: Path, report: Report): CacheOptions | undefined {
  if (shape === undefined || report.has(path)) return undefined
  const { memory, maxStaleness, staleWhileDown, maxFetches, maxFollowers } = shape
  if (memory < LEAST_MEMORY) {
    const least = formatSize(LEAST_MEMORY)
    report.add([...path, 'memory'], `${formatSize(memory)} is too little for a cache`, `write at least ${least}`)
  }
  if (maxStaleness < LEAST_STALENESS) {
    const least = formatDuration(LEAST_STALENESS)
    const message = `${formatDuration(maxStaleness)} is less than can be known of the upstream`
    report.add([...path, 'maxStaleness'], message, `write at least ${least}`)
  }
  const at = [...path, 'rules']
  if (shape.rules.length === 0 && !report.has(at)) {
    report.add(path, 'has no rule', 'add one: rules: [{keys: "cache:*", maxAge: 30s}]', 'key')
  }
  for (const [i, rule] of shape.rules.entries()) checkNegative(rule, [...at, i], report)
  const patterns = shape.rules.map(({ keys }) => keys)
  checkFirstMatch(patterns, at, report)
  const rules = shape.rules.flatMap(({ keys, maxAge, negative, jitter }): readonly CacheRule[] =>
    keys === undefined ? [] : [{ keys, maxAge, negative, jitter }],
  )
  return { memory, rules, maxStaleness, staleWhileDown, maxFetches, maxFollowers }
}

function checkNegative({ maxAge, negative }: CacheShape['rules'][number], at: Path, report: Report): void {
  // In place of a maxAge that was reported as wrong stands its default.
  if (negative <= maxAge || report.has([...at, 'maxAge'])) return
  const [is, most] = [formatDuration(negative), formatDuration(maxAge)]
  report.add([...at, 'negative'], `${is} is more than maxAge, ${most}`, `write at most ${most}, or a larger maxAge`)
}
