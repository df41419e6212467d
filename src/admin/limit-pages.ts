import type { LimitView } from '../policies/limits/limit-view.ts'
import { printableJson } from './printable.ts'
import type { ProcessView } from './view.ts'

/*
 * The rate limits for people and programs: /limits and PROXY LIMITS. The names of the most limited are told here only, since
 * they are the clients' to choose.
 */

/** Rules on one page, and names with each. Of thousands of tenants nobody reads all. */
const MOST_RULES = 1000
const MOST_OFFENDERS = 10

/** What is asked of the process. */
export type LimitsSource = Pick<ProcessView, 'limits' | 'leases' | 'delayed'>

/** For /limits. `tenant`: of this one only. `more`: rules that are left out, which are those that limited least. */
export function limitsPage(source: LimitsSource, tenant: string | undefined): object {
  const { shown, more } = chosen(source.limits, tenant)
  const limits = shown.map(
    ({
      tenant,
      rule,
      per,
      scope,
      action,
      unit,
      rate,
      allowed,
      delayed,
      rejected,
      shadowed,
      waiting,
      tokens,
      buckets,
      mostBuckets,
      overflows,
      grants,
      failing,
      offenders,
    }) => ({
      tenant,
      rule,
      per,
      scope,
      action,
      unit,
      rate,
      requests: { allowed, delayed, rejected, shadowed },
      waiting,
      tokens,
      buckets: { count: buckets, most: mostBuckets, overflows },
      leases: scope === 'global' ? { tokens: grants, failing } : undefined,
      offenders: offenders.slice(0, MOST_OFFENDERS),
    }),
  )
  return { delayed: source.delayed, leases: source.leases, limits, more }
}

/** For PROXY LIMITS, in lines. */
export function limitsText(source: LimitsSource, tenant: string | undefined): string {
  const { shown, more } = chosen(source.limits, tenant)
  const { calls, failures } = source.leases
  const lines = [`rate limits: ${source.delayed} requests delayed now, ${calls} calls for tokens, ${failures} failed`]
  for (const limit of shown) lines.push(...ruleLines(limit))
  if (shown.length === 0) lines.push(tenant === undefined ? 'no tenant has any' : `tenant ${tenant} has none`)
  if (more > 0) lines.push(`and ${more} more that limited less; name a tenant to see its own`)
  return `${lines.join('\n')}\n`
}

function chosen(
  limits: readonly LimitView[],
  tenant: string | undefined,
): { shown: readonly LimitView[]; more: number } {
  const all = tenant === undefined ? limits : limits.filter((limit) => limit.tenant === tenant)
  if (all.length <= MOST_RULES) return { shown: all, more: 0 }
  const worst = [...all].sort((a, b) => limitedBy(b) - limitedBy(a))
  return { shown: worst.slice(0, MOST_RULES), more: all.length - MOST_RULES }
}

/** Requests that did not just pass. */
function limitedBy({ delayed, rejected, shadowed }: LimitView): number {
  return delayed + rejected + shadowed
}

function ruleLines(limit: LimitView): readonly string[] {
  const { tenant, rule, per, scope, action, unit, rate, allowed, delayed, rejected, shadowed, waiting } = limit
  const lines = [
    `${tenant} ${rule}: ${rate} ${unit} per ${per}, ${scope}, ${action}`,
    `  requests: ${allowed} allowed, ${delayed} delayed (${waiting} now), ${rejected} rejected, ${shadowed} shadowed`,
  ]
  if (limit.tokens !== undefined) lines.push(`  tokens: ${Math.floor(limit.tokens)} left`)
  else {
    const { buckets, mostBuckets, overflows } = limit
    lines.push(`  buckets: ${buckets} of at most ${mostBuckets}, ${overflows} requests found no room for theirs`)
  }
  if (scope === 'global') {
    const state = limit.failing ? '; none can be had now, onError decides' : ''
    lines.push(`  leases: ${limit.grants} tokens${state}`)
  }
  const offenders = limit.offenders.slice(0, MOST_OFFENDERS)
  if (offenders.length > 0) lines.push(`  limited most: ${offenders.map(offenderText).join(', ')}`)
  return lines
}

function offenderText({ name, count, over }: LimitView['offenders'][number]): string {
  return `${printableJson(name)} ${count}${over > 0 ? ` (at most ${over} too many)` : ''}`
}
