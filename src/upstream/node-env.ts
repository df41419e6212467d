import type { ExchangeClient } from '../commands/exchange.ts'
import type { Offers } from '../commands/offers.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import type { Connection } from './connection.ts'
import type { FactsLog } from './server-facts.ts'

/** What the rest of the process lends to a node. */
export interface NodeEnv {
  readonly turn: Turn
  readonly clock: Clock
  readonly log: FactsLog
  /** Somebody has looked at this command, or at one of its subcommands, and found it fit for tenants. */
  reviewed(command: string, offers: Offers | undefined): boolean
  /** A bug: it is logged and counted, and the process goes on. */
  fault(error: unknown): void
}

/** What a node asks of the upstream that it belongs to. */
export interface NodeOwner {
  /** What ROLE must say on every connection; undefined: the name decides. */
  readonly mustBe: 'master' | 'slave' | undefined
  /** A connection was lost, or the server says that it cannot execute anything: time to look where the primary is. */
  doubt(why: string): void
  /** A new connection is at another process than those before. */
  another(): void
  /** It was retired, and all that it had is done. */
  ended(): void
  /** For a replica: reads that cannot be executed here go elsewhere. False: they wait here. */
  readonly sendsElsewhere: boolean
}

/** Replicas, as those who read ask for them. */
export interface ReplicaSource {
  readonly newest: number
  choose(client: ExchangeClient, protocol: 2 | 3, sample: number, maxLag: number, seed: number): Connection | undefined
}
