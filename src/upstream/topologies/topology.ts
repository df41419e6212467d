import type { Address } from '../options.ts'
import type { FactsLog } from '../server-facts.ts'

/**
 * What a topology tells the node whose server it looks for. A node has one server at a time, the primary of the day, and
 * keeps what it holds when that changes.
 */
export interface TopologyHost {
  readonly log: FactsLog
  /**
   * The primary is at `address`: what is connected elsewhere is closed at once, and new connections, which must prove by
   * ROLE that they are at a primary, go there. Said again with the same address, it changes nothing.
   */
  moveTo(address: Address, why: string): void
  /**
   * A planned failover is under way, and what is written now may be thrown away: writes wait from here on, and the
   * primary is drained. Ends by `resume`, by `moveTo` another address, or after hold.time. Said again, it changes nothing.
   */
  suspend(why: string): void
  /** The failover was called off: writes go to the primary that was there before. */
  resume(why: string): void
  /** A bug of ours. */
  fault(error: unknown): void
}

/** Finds the servers of an upstream, and follows them. One for each upstream; made by topologies/index.ts. */
export interface Topology {
  /** Where the primary is, as far as that is known. */
  readonly primary: Address | undefined
  /** Where replicas are that may be read; undefined: the primary's own INFO tells. */
  readonly replicas: readonly Address[] | undefined
  start(): void
  stop(): void
  /** Connections to the primary were lost, or it says that it is none: time to look. Called at most ten times a second. */
  doubt(why: string): void
  /** Asks for a planned failover. Rejects with an Error that says why there will be none. */
  failover(): Promise<void>
  view(): TopologyView
}

/** For metrics and the admin API. */
export interface TopologyView {
  readonly kind: 'standalone' | 'sentinel'
  /** One line for each sentinel. */
  readonly sentinels: readonly {
    readonly address: string
    readonly connected: boolean
    /** The primary that it named last; undefined: none yet. */
    readonly names: string | undefined
  }[]
}
