import type { ArgView } from '../commands/arg-view.ts'
import { findKeys } from '../commands/keys.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { type CommandSpec, KeyList } from '../commands/spec.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { compileKeys } from '../policies/key-part.ts'
import { costsOf } from '../policies/limits/costs.ts'
import type { LimitRule, Tenant } from '../session/tenant.ts'
import { quote } from './quote.ts'

/** What the rate limits of this tenant make of a request of `bytes` bytes by this user: one text for each rule that counts it, then who does not. */
export function explainLimits(
  table: CommandTable,
  spec: CommandSpec,
  view: ArgView,
  bytes: number,
  tenant: Tenant,
  user: string,
): readonly string[] {
  const counted: string[] = []
  const spared: string[] = []
  for (const rule of tenant.limits) {
    const cost = costsOf(rule, table)[spec.index]
    const buckets = cost === 0 ? undefined : bucketsOf(rule, spec, view, user)
    if (cost === 0) spared.push(rule.name)
    else if (buckets === undefined) spared.push(`${rule.name} (no key like ${rule.keys})`)
    else counted.push(`${rule.name}: ${describe(rule)}; ${takes(rule, cost, bytes)}${buckets}`)
  }
  return spared.length === 0 ? counted : [...counted, `not counted by ${spared.join(', ')}`]
}

/** From which buckets it takes, in words; '' for the only one. undefined: no key matches. */
function bucketsOf(rule: LimitRule, spec: CommandSpec, view: ArgView, user: string): string | undefined {
  const parts = rule.keys === undefined ? [] : partsOf(rule.keys, spec, view)
  if (rule.keys !== undefined && parts.length === 0) return undefined
  switch (rule.per) {
    case 'match':
      return `, from the bucket ${parts.map(quote).join(', and from ')}`
    case 'user':
      return `, from the bucket of user ${user}`
    case 'address':
      return ', from the bucket of the client’s address'
    default:
      return ''
  }
}

/** What the first `*` of the pattern stands for in each key that matches. */
function partsOf(pattern: string, spec: CommandSpec, view: ArgView): readonly Buffer[] {
  const keys = new KeyList()
  findKeys(spec, view, keys)
  const part = compileKeys(pattern)
  const parts: Buffer[] = []
  for (let i = 0; i < keys.count; i++) {
    const key = view.bytes(keys.at[i])
    if (part.part(key, 0, key.length)) parts.push(key.subarray(part.partStart, part.partEnd))
  }
  return parts
}

function describe(rule: LimitRule): string {
  const burst = rule.unit === 'bytes' ? formatSize(rule.burst) : String(rule.burst)
  return `${rule.rateText} per ${rule.per}, burst ${burst}, ${rule.scope}, ${action(rule)}`
}

function action({ action, maxDelay }: LimitRule): string {
  return action === 'delay' ? `delay for up to ${formatDuration(maxDelay)}` : action
}

function takes(rule: LimitRule, cost: number, bytes: number): string {
  if (rule.unit === 'bytes') return `takes ${bytes} bytes, and those of the reply`
  if (rule.replyUnit === undefined) return `takes ${cost}`
  return `takes ${cost}, and 1 for every ${formatSize(rule.replyUnit)} of the reply`
}
