import type { Extension } from '../session/tenant.ts'
import { parseRow } from './rows.ts'

/** One of Keyward's own commands: what a server's COMMAND and COMMAND DOCS would say of it. */
export interface ExtensionCommand {
  readonly extension: Extension
  /** As in the generated table (rows.ts). */
  readonly row: string
  readonly summary: string
  /** In order; a `?` behind the name: may be left out. The first is the key, all others are integers. */
  readonly arguments: string
  /** In docs/commands.md: what it replies. */
  readonly reply: string
}

/**
 * Keyward's own commands. To a tenant without the extension they do not exist. CL.THROTTLE has the arity with which the
 * module redis-cell registers it, "any": what it says of too few arguments is the module's text, not Redis'.
 */
const COMMANDS: readonly ExtensionCommand[] = [
  {
    extension: 'throttle',
    row: 'cl.throttle -1 denyoom,write slow,write 1/0,1,0/RW,access,update',
    summary: 'Takes tokens from the bucket of a key, if they are there.',
    arguments: 'key max_burst count period quantity?',
    reply:
      'five integers: 1 where it is limited, else 0; tokens of a full bucket, `max_burst` + 1; tokens left; seconds until as many are there, -1 where it is not limited or where so many never will be; seconds until the bucket is full',
  },
  {
    extension: 'throttle',
    row: 'cl.status -1 readonly read,slow 1/0,1,0/RO,access',
    summary: 'Says what CL.THROTTLE with a quantity of 1 would say, and takes nothing.',
    arguments: 'key max_burst count period',
    reply: 'the same, but the third and the fifth are of the bucket as it is',
  },
]

export const EXTENSION_ROWS: readonly string[] = COMMANDS.map(({ row }) => row)

/** By the command's name, in lower case. */
export const EXTENSION_COMMANDS: ReadonlyMap<string, ExtensionCommand> = new Map(
  COMMANDS.map((command) => [parseRow(command.row).name, command]),
)
