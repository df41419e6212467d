import type { CommandTable } from '../commands/lookup.ts'
import type { ServerView } from '../commands/spec.ts'
import type { Clock } from '../lib/clock.ts'
import type { PerSecond } from '../lib/per-second.ts'
import type { Turn } from '../lib/turn.ts'
import type { ClientPolicy } from '../policies/policy.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { RequestLimits } from '../resp/types.ts'
import type { Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Caller } from '../upstream/caller.ts'
import type { Node } from '../upstream/node.ts'
import type { Delays } from './delays.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { Gates } from './gates.ts'
import type { JobLog } from './jobs/job.ts'
import type { Memory } from './memory.ts'
import type { Notices } from './notices.ts'
import type { ScriptLimits } from './scripting/scripts.ts'
import type { Stats } from './stats.ts'
import type { Trackings } from './tracking/trackings.ts'

/** What all clients of a process share; proxy.ts fills it. */
export interface ClientEnv {
  readonly turn: Turn
  readonly clock: Clock
  readonly table: CommandTable
  /** By spec.index: the family for metrics. */
  readonly families: Uint8Array
  readonly server: ServerView
  /** Local answers are written here; used and emptied within one request. */
  readonly writer: ReplyWriter
  readonly limits: RequestLimits
  readonly memory: Memory
  readonly notices: Notices
  readonly gates: Gates
  readonly delays: Delays
  readonly tracking: Trackings
  /** Entries of all tenants' SLOWLOG. */
  readonly slowEntries: PerSecond
  readonly log: JobLog
  readonly draining: boolean
  node(tenant: Tenant): Node
  /** A small number for the tenant, the same as long as the process lives. */
  indexOf(tenant: Tenant): number
  stats(tenant: Tenant | undefined): Stats
  /** The policies for a client that has logged in; undefined: none concerns it. */
  chain(session: Session): ClientPolicy | undefined
  /** The tenant's client of this id in this process. */
  findClient(tenant: Tenant, id: number): DispatchClient | undefined
  /** A client logged in to `tenant`; false: maxClients is reached. */
  enter(client: DispatchClient, tenant: Tenant): boolean
  left(client: DispatchClient): void
  readonly scriptLimits: ScriptLimits
  /** For calls of Keyward's own to the tenant's upstream. `receivedAt`: as in Caller. */
  callerOf(tenant: Tenant, tenantIndex: number, receivedAt?: number): Caller
  /** Requests of this tenant's clients, but for one, are on their way upstream; those that block do not count. */
  underWay(tenantIndex: number, but: DispatchClient): boolean
  /** A bug: it is logged and counted, and the process goes on. */
  fault(error: unknown): void
}
