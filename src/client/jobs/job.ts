import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { Gates } from '../gates.ts'
import type { ScriptLimits, Scripts } from '../scripting/scripts.ts'
import type { ScriptStore } from '../scripting/store.ts'
import type { Counts } from './counts.ts'
import type { Ground, JobSpecs } from './ground.ts'
import type { Sweeps } from './sweeps.ts'

export interface JobLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

/** Scripts, as SCRIPT needs them. */
export interface JobScripting {
  readonly scripts: Scripts
  readonly store: ScriptStore
  readonly limits: ScriptLimits
  readonly usage: { note(tenant: Tenant): void }
  /** Something of the tenant may be running at this server, though no reply to it is waited for. */
  mayRunOn(tenant: Tenant, node: Node): boolean
  /** Since when, in clock milliseconds, the same is so of others; Infinity: it is not. */
  othersMayRunOn(tenant: Tenant, node: Node): number
  /** The reply to a command that may not be run, for this reason. */
  refusal(client: DispatchClient, command: string, reason: string): Buffer
  /** overRate: the error for a script that is one too many whose text is not at hand; undefined: it may come. */
  readonly reader: {
    overRate(client: DispatchClient, command: string, sha: string, bytes: number): string | undefined
  }
}

/** Of one tenant. */
export interface FunctionCounts {
  readonly libraries: number
  readonly functions: number
}

/** For whom FUNCTION is asked, and where. */
export type Asker = Pick<JobCall, 'caller' | 'tenant'>

/** Libraries that were sent, and of which nobody has seen what they have registered. */
interface Unchecked {
  /** No more of them can be remembered. */
  readonly full: boolean
  /** `scoped`: the library, as the upstream knows it. */
  add(asker: Asker, scoped: string): void
}

/** What all jobs of a process share. */
export interface JobEnv {
  readonly specs: JobSpecs
  readonly sweeps: Sweeps
  readonly counts: Counts
  readonly gates: Gates
  readonly scripting: JobScripting
  /** By tenant, as they were listed last: a server that is busy does not list them. As many as there are tenants. */
  readonly functions: Map<string, FunctionCounts>
  readonly unchecked: Unchecked
  /** Requests of this tenant's other clients are on their way upstream, those that block left out. */
  underWay(tenantIndex: number, but: DispatchClient): boolean
  /** The tenant's client of this id in this process. */
  findClient(tenant: Tenant, id: number): DispatchClient | undefined
  readonly log: JobLog
}

/** One request that is done by many upstream calls. */
export interface JobCall extends Ground {
  readonly args: readonly Buffer[]
  readonly tenant: Tenant
  readonly tenantIndex: number
  readonly client: DispatchClient
  /** Takes exactly one reply. */
  readonly reply: ReplyWriter
  readonly env: JobEnv
  /** Bytes that it keeps for its client, counted against `memory`. */
  kept(bytes: number): void
  /** `fn` is called when the client leaves. Calls are refused from then on, unless the job outlives its client. */
  onCancel(fn: () => void): void
}

/**
 * Resolves when call.reply holds the reply. Rejects with CallFailed or Refused, which its client is told. A promise for
 * each call is affordable here: a call costs Redis a hundred times as much.
 */
export type Job = (call: JobCall) => Promise<void>
