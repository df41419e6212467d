import type { Extension } from '../session/tenant.ts'
import { parseRow } from './rows.ts'

/** One of Keyward's own commands: what a server's COMMAND and COMMAND DOCS would say of it. */
export interface ExtensionCommand {
  readonly extension: Extension
  /** As in the generated table (rows.ts). Its only key, if it has any, is the first argument. */
  readonly row: string
  readonly summary: string
  readonly complexity: string
  /** In order. */
  readonly arguments: readonly ExtensionArgument[]
  /** In docs/commands.md: what it replies. */
  readonly reply: string
}

export interface ExtensionArgument {
  readonly name: string
  readonly type: 'key' | 'integer' | 'pattern'
  /** The word that stands in front of it. */
  readonly token?: string
  readonly optional?: true
}

const KEY: ExtensionArgument = { name: 'key', type: 'key' }

/**
 * Keyward's own commands. To a tenant without the extension they do not exist. CL.THROTTLE has the arity with which the
 * module redis-cell registers it, "any": what it says of too few arguments is the module's text, not Redis'. Those of the
 * cache neither read nor write a key, so they are of no category but that of their subject.
 */
const COMMANDS: readonly ExtensionCommand[] = [
  {
    extension: 'throttle',
    row: 'cl.throttle -1 denyoom,write slow,write 1/0,1,0/RW,access,update',
    summary: 'Takes tokens from the bucket of a key, if they are there.',
    complexity: 'O(1)',
    arguments: [
      KEY,
      ...integers('max_burst', 'count', 'period'),
      { name: 'quantity', type: 'integer', optional: true },
    ],
    reply:
      'five integers: 1 where it is limited, else 0; tokens of a full bucket, `max_burst` + 1; tokens left; seconds until as many are there, -1 where it is not limited or where so many never will be; seconds until the bucket is full',
  },
  {
    extension: 'throttle',
    row: 'cl.status -1 readonly read,slow 1/0,1,0/RO,access',
    summary: 'Says what CL.THROTTLE with a quantity of 1 would say, and takes nothing.',
    complexity: 'O(1)',
    arguments: [KEY, ...integers('max_burst', 'count', 'period')],
    reply: 'the same, but the third and the fifth are of the bucket as it is',
  },
  {
    extension: 'cache',
    row: 'cache.stats 1 fast,loading,stale fast,keyspace -',
    summary: 'Says what the near cache of this process has done for the tenant, and what is in it.',
    complexity: 'O(1)',
    arguments: [],
    reply: 'names and integers in turn, in RESP3 a map; see [cache.md](cache.md)',
  },
  {
    extension: 'cache',
    row: 'cache.flush -1 loading,stale keyspace,slow -',
    summary: 'Drops what the near cache of this process has of the tenant, or of keys that match.',
    complexity: 'O(N) where N is the number of entries of the tenant',
    arguments: [{ name: 'pattern', type: 'pattern', token: 'MATCH', optional: true }],
    reply: 'how many entries were dropped',
  },
]

function integers(...names: readonly string[]): readonly ExtensionArgument[] {
  return names.map((name) => ({ name, type: 'integer' }))
}

export const EXTENSION_ROWS: readonly string[] = COMMANDS.map(({ row }) => row)

/** By the command's name, in lower case. */
export const EXTENSION_COMMANDS: ReadonlyMap<string, ExtensionCommand> = new Map(
  COMMANDS.map((command) => [parseRow(command.row).name, command]),
)
