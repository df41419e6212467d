import { mayWrite } from './may-write.ts'
import { type CommandSpec, FLAG } from './spec.ts'

/**
 * Reads that must not go to a replica although they only read: cursors mean nothing to another server, whose hash tables are
 * ordered differently; TOUCH and OBJECT are about the primary's own eviction; CL.STATUS goes by the primary's clock.
 */
const PRIMARY_ONLY: ReadonlySet<string> = new Set([
  ...['hscan', 'sscan', 'zscan', 'scan', 'touch', 'object', 'memory'],
  'cl.status',
])

/** May a replica answer it in the place of the primary? Only what reads the keys that it names. */
export function mayReadReplica(spec: CommandSpec): boolean {
  if ((spec.flags & FLAG.READONLY) === 0 || mayWrite(spec) || spec.route !== 'shared' || spec.keySpecs.length === 0)
    return false
  // Only the primary was asked whether it has them; a replica may be older.
  if (spec.presence !== 'always') return false
  return !PRIMARY_ONLY.has(spec.name.split('|', 1)[0])
}
