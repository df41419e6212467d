import type { Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import type { CommandSpec } from './spec.ts'

/** What local answers (INFO, CLIENT LIST, COMMAND …) may ask about the process; proxy.ts fills it. */
export interface ServerView {
  /** Keyward's version. */
  readonly version: string
  /** Milliseconds since the epoch at which the process started. */
  readonly startedAt: number
  /** Milliseconds since the epoch. */
  now(): number
  /** What is known of the tenant's upstream server. */
  upstream(tenant: Tenant): UpstreamFacts
  /** The sessions of this tenant in this process. */
  sessions(tenant: Tenant): Iterable<Session>
  /** Requests of this tenant since the start. */
  requests(tenant: Tenant): number
  /** Every command that this tenant may run, containers with their open subcommands. */
  commands(tenant: Tenant): readonly CommandSpec[]
  /** Any command by its name, in any case ("get", "client"). */
  command(name: string): CommandSpec | undefined
}

export interface UpstreamFacts {
  /** As INFO says; '7.0.0' before the first connection. */
  readonly redisVersion: string
  /** The upstream speaks RESP3. */
  readonly resp3: boolean
  readonly usable: boolean
  /** Seconds since the epoch, from INFO persistence; the start of the process before that is known. */
  readonly lastSave: number
  /** Fields of the upstream's INFO, by name; empty before the first connection. */
  readonly info: ReadonlyMap<string, string>
}
