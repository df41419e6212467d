import type { CommandSpec } from '../../commands/spec.ts'
import type { Caller } from '../../upstream/caller.ts'
import type { Stats } from '../stats.ts'

/** The specs of the commands that jobs call. */
export interface JobSpecs {
  readonly scan: CommandSpec
  readonly dbsize: CommandSpec
  readonly unlink: CommandSpec
  readonly exists: CommandSpec
  readonly randomkey: CommandSpec
}

/** Where a walk over the keyspace goes, and for whom. */
export interface Ground {
  readonly caller: Caller
  /** Raw keys begin with it: those of one database, or all of a tenant's. */
  readonly prefix: Buffer
  readonly stats: Stats
}
