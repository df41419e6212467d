import { parseCommandFilter } from '../../commands/command-filter.ts'
import type { CommandTable } from '../../commands/lookup.ts'
import type { LimitRule } from '../../session/tenant.ts'

/**
 * Never counted, whatever a rule says: without AUTH and HELLO nobody gets in, and where MULTI or WATCH were refused, what
 * follows would be executed without them.
 */
export const NEVER_COUNTED: ReadonlySet<string> = new Set([
  'auth',
  'hello',
  'quit',
  'reset',
  'multi',
  'exec',
  'discard',
  'watch',
  'unwatch',
])

/**
 * By spec.index: what a command costs this rule in tokens, 0 where it does not count it; of a rule in bytes, 1 where it
 * does. The commands of the rule must have been checked by the configuration.
 */
export function costsOf(rule: LimitRule, table: CommandTable): Float64Array {
  const specs = table.all()
  const costs = Float64Array.from(matching(rule.commands, table))
  for (const one of rule.costs) {
    const these = matching(one.commands, table)
    for (let i = 0; i < specs.length; i++) if (costs[i] > 0 && these[i] === 1) costs[i] = one.cost
  }
  for (const spec of specs) if (NEVER_COUNTED.has(spec.name)) costs[spec.index] = 0
  return costs
}

function matching(commands: string, table: CommandTable): Uint8Array {
  const filter = parseCommandFilter(commands, table)
  if ('value' in filter) return filter.value
  throw new Error(`commands ${commands}: ${filter.message}`)
}
