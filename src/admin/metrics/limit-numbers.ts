import type { LimitView } from '../../policies/limits/limit-view.ts'
import { OTHER } from '../tenant-labels.ts'

/** A rate limit as metrics show it, or what all those of tenants without a label of their own add up to. */
export interface LimitNumbers {
  readonly labels: { readonly tenant: string; readonly rule: string }
  allowed: number
  delayed: number
  rejected: number
  shadowed: number
  waiting: number
  buckets: number
  mostBuckets: number
  overflows: number
  /** undefined: it has many buckets; what several rules have left says nothing either. */
  readonly tokens: number | undefined
  /** undefined: it needs no leases. */
  grants: number | undefined
  failing: boolean | undefined
}

/** `known`: the label of each tenant. What shares a label is one, whatever the rules are called, so that series stay few. */
export function limitNumbers(
  limits: readonly LimitView[],
  known: ReadonlyMap<string, string>,
): readonly LimitNumbers[] {
  const result: LimitNumbers[] = []
  let others: LimitNumbers | undefined
  for (const limit of limits) {
    const label = known.get(limit.tenant) ?? OTHER
    if (label !== OTHER) result.push({ labels: { tenant: label, rule: limit.rule }, ...numbers(limit) })
    else if (others === undefined) others = { labels: ALL_OTHERS, ...numbers(limit), tokens: undefined }
    else add(others, numbers(limit))
  }
  if (others !== undefined) result.push(others)
  return result
}

const ALL_OTHERS = { tenant: OTHER, rule: OTHER }

function numbers(limit: LimitView): Omit<LimitNumbers, 'labels'> {
  const { allowed, delayed, rejected, shadowed, waiting, tokens, buckets, mostBuckets, overflows } = limit
  const leases = limit.scope === 'global' ? { grants: limit.grants, failing: limit.failing } : NO_LEASES
  return { allowed, delayed, rejected, shadowed, waiting, tokens, buckets, mostBuckets, overflows, ...leases }
}

const NO_LEASES = { grants: undefined, failing: undefined }

function add(sum: LimitNumbers, more: Omit<LimitNumbers, 'labels'>): void {
  sum.allowed += more.allowed
  sum.delayed += more.delayed
  sum.rejected += more.rejected
  sum.shadowed += more.shadowed
  sum.waiting += more.waiting
  sum.buckets += more.buckets
  sum.mostBuckets += more.mostBuckets
  sum.overflows += more.overflows
  if (more.grants !== undefined) sum.grants = (sum.grants ?? 0) + more.grants
  if (more.failing !== undefined) sum.failing = sum.failing === true || more.failing
}
