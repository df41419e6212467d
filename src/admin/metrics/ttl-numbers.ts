import type { TtlView } from '../../policies/ttl/ttl-view.ts'
import { OTHER } from '../tenant-labels.ts'

/** A rule on times to live as metrics show it, or what all those of tenants without a label of their own add up to. */
export type TtlNumbers = { -readonly [field in keyof TtlView]: TtlView[field] }

/**
 * `known`: the label of each tenant. What shares a label is one, whatever the rules are, so that series stay few; but what was done
 * and what was only counted stay apart.
 */
export function ttlNumbers(rules: readonly TtlView[], known: ReadonlyMap<string, string>): readonly TtlNumbers[] {
  const result: TtlNumbers[] = []
  const others = new Map<boolean, TtlNumbers>()
  for (const rule of rules) {
    const label = known.get(rule.tenant) ?? OTHER
    const sum = others.get(rule.dryRun)
    if (label !== OTHER) result.push({ ...rule, tenant: label })
    else if (sum === undefined) others.set(rule.dryRun, { ...rule, tenant: OTHER, keys: OTHER })
    else add(sum, rule)
  }
  return [...result, ...others.values()]
}

function add(sum: TtlNumbers, more: TtlView): void {
  sum.defaulted += more.defaulted
  sum.clampedMax += more.clampedMax
  sum.clampedMin += more.clampedMin
  sum.persistDenied += more.persistDenied
  sum.persistClamped += more.persistClamped
  sum.failed += more.failed
}
