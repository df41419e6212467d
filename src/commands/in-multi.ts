import type { CommandSpec } from './spec.ts'

/** By command: why it cannot stand in EXEC's array, though Redis would queue it. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['hello', 'it would change the protocol in the middle of EXEC’s array'],
  ['client|reply', 'it would change which replies come, in the middle of EXEC’s array'],
  ['client|tracking', 'which reads of the transaction it is about is known only when they are done'],
  ['client|unblock', 'it is done on another connection than the transaction'],
])
const SUBSCRIBES = 'subscriptions are on another connection than the transaction'
const MANY_CALLS = 'it is done by many upstream calls, which cannot be one with the rest'

const CLOSED_TO_SCRIPTS =
  'a tenant that may run scripts does its transactions as a user of the upstream who may not look at the whole server'

/** Closed to tenants' users of the upstream (upstream/walls/wall-users.ts), and open on lanes. */
const BEHIND_NO_WALL: ReadonlySet<string> = new Set(['command', 'pubsub', 'wait', 'waitaof'])

/**
 * Why a command that is open is refused between MULTI and EXEC (ERRORS.NOTINMULTI); undefined: it is queued. `prefixed`:
 * for a tenant with a prefix. `walled`: its transaction runs as a user of its own, as scripts may be in it. docs/commands.md
 * lists them all.
 */
export function notInMulti(spec: CommandSpec, prefixed: boolean, walled: boolean): string | undefined {
  const reason = REASONS.get(spec.name)
  if (reason !== undefined) return reason
  if (spec.route === 'pubsub') return SUBSCRIBES
  if (spec.route === 'job' && prefixed) return MANY_CALLS
  if (walled && spec.route !== 'local' && BEHIND_NO_WALL.has(spec.name.split('|')[0]) && !isContainer(spec))
    return CLOSED_TO_SCRIPTS
  return undefined
}

/** Without a subcommand it is an error. COMMAND is a command, too. */
function isContainer(spec: CommandSpec): boolean {
  return spec.subcommands !== undefined && spec.name !== 'command'
}
