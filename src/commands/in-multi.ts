import type { CommandSpec } from './spec.ts'

/** By command: why it cannot stand in EXEC's array, though Redis would queue it. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['hello', 'it would change the protocol in the middle of EXEC’s array'],
  ['client|reply', 'it would change which replies come, in the middle of EXEC’s array'],
  ['client|unblock', 'it is done on another connection than the transaction'],
])
const SUBSCRIBES = 'subscriptions are on another connection than the transaction'
const MANY_CALLS = 'it is done by many upstream calls, which cannot be one with the rest'

/**
 * Why a command that is open is refused between MULTI and EXEC (ERRORS.NOTINMULTI); undefined: it is queued. `prefixed`:
 * for a tenant with a prefix. docs/commands.md lists them all.
 */
export function notInMulti(spec: CommandSpec, prefixed: boolean): string | undefined {
  const reason = REASONS.get(spec.name)
  if (reason !== undefined) return reason
  if (spec.route === 'pubsub') return SUBSCRIBES
  if (spec.route === 'job' && prefixed) return MANY_CALLS
  return undefined
}
