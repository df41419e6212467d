import type { ArgView } from '../commands/arg-view.ts'
import type { Delay, Meter } from '../commands/delay.ts'
import type { Effects } from '../commands/effects.ts'
import type { CommandTable } from '../commands/lookup.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { Clock } from '../lib/clock.ts'
import type { Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import type { CacheSource } from './cache/source.ts'
import type { LeaseStore } from './limits/lease-store.ts'

/** A request as policies see it: keys are the tenant's own. Reused: valid during the call. */
export interface PolicyRequest {
  readonly buf: Buffer
  readonly start: number
  readonly end: number
  readonly argc: number
  /** Argument i is buf[args[2*i] .. args[2*i+1]). */
  readonly args: Int32Array
  view(): ArgView
  /**
   * Every earlier request of the client is answered, nothing of its session forbids an answer of our own now, and nobody
   * watches by MONITOR: only then may something else than the upstream answer it.
   */
  readonly idle: boolean
  /** It goes on a connection of the client's own, behind WATCH or MULTI. */
  readonly inTransaction: boolean
}

/** Another request in place of the client's: as it reads, its keys are the tenant's own. */
export interface Edit {
  readonly spec: CommandSpec
  /** All of it; never changed. */
  readonly buf: Buffer
  readonly argc: number
  /** Argument i is buf[args[2*i] .. args[2*i+1]). */
  readonly args: Int32Array
}

/** `go`: on to the next policy, and at last to the router. `wait`: the same, but the exchange gets `delay`. `reply`: it is answered here. */
export type Verdict = 'go' | 'wait' | 'reply'

/** What the policies of a chain have to say beside their verdict; reused. */
export class Ruling {
  /** For `reply`: an error line, without `-` and CRLF. */
  refusal = ''
  /**
   * For `reply`, in place of it: a whole reply, which never changes, unless `answerEnd` is set. In MULTI it is what EXEC's
   * array has.
   */
  answer: Buffer | undefined = undefined
  /**
   * More than 0: the reply is answer[answerStart..answerEnd), in memory that is used for something else soon, so it is
   * copied before the next request is looked at. Only for requests that are `idle`.
   */
  answerStart = 0
  answerEnd = 0
  /** For `wait`. */
  delay: Delay | undefined = undefined
  /** Who wants to know how large the reply was. */
  meter: Meter | undefined = undefined
  /** What is sent instead. */
  edit: Edit | undefined = undefined
  effects: Effects | undefined = undefined
}

/** One policy for one client, from its login to its end. */
export interface ClientPolicy {
  onRequest(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict
  /**
   * A request of this command was let pass under an earlier configuration, and is not answered yet: who wants to know when it is.
   * Absent: nobody.
   */
  underWay?(spec: CommandSpec): Meter | undefined
  /** The client has left, or is somebody else now. */
  leave(): void
}

/** One policy for one tenant, compiled when the configuration is loaded. */
export interface TenantPolicy {
  /** What it does for a client that has logged in. */
  enter(session: Session): ClientPolicy
  /** The configuration has no such policy for this tenant any more. */
  close(): void
}

/** A kind of policy. Their order in index.ts is the order in which they are asked. */
export interface Policy {
  readonly name: string
  /** `before`: the same tenant's policy until now, whose state it takes over. undefined: the tenant has none of this kind. */
  open(tenant: Tenant, env: PolicyEnv, before: TenantPolicy | undefined): TenantPolicy | undefined
}

/** What policies ask of the process; proxy.ts fills it. */
export interface PolicyEnv {
  readonly table: CommandTable
  readonly clock: Clock
  /** Where the tokens of global limits of this upstream's tenants are; undefined: there is no such upstream any more. */
  leaseStore(upstream: string): LeaseStore | undefined
  /** What the near cache needs of this upstream; undefined: there is no such upstream any more. */
  cacheSource(upstream: string): CacheSource | undefined
  /** A small number for the tenant, the same as long as the process lives. */
  indexOf(tenant: Tenant): number
  /** A bug: it is logged and counted, and the process goes on. */
  fault(error: unknown): void
}
