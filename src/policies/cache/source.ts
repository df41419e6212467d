import type { CommandSpec } from '../../commands/spec.ts'

/** What is known of writes to one upstream that nobody told us of. */
export interface InvalidationFeed {
  /**
   * Clock milliseconds: every key that was written before this moment has been reported. -Infinity: there is no feed now. A hit at
   * `now` is at most `now - heardAt` behind the server.
   */
  readonly heardAt: number
  /** Raised whenever reports may have been missed: what was fetched in an earlier epoch may be out of date for good. */
  readonly epoch: number
}

/** What the near cache asks of an upstream. */
export interface CacheSource {
  readonly feed: InvalidationFeed
  /** It fails, or cannot be reached: who asks gets an error. */
  readonly down: boolean
  /** It lets keys go that nobody has used for long (LRU, LFU): it must be told of the use that hits are. */
  readonly evicts: boolean
  /**
   * A request of Keyward's own to the primary, on the shared lanes, raw keys and all. `done` is called once, never at once: with the
   * whole reply and its RESP type byte, which nobody changes later, or undefined when it was not answered; `late`: because nothing
   * came in time. Calls of one turn of the event loop go out together, in their order. Whoever calls bounds how many are under way.
   */
  fetch(
    tenantIndex: number,
    spec: CommandSpec,
    request: Buffer,
    protocol: 2 | 3,
    done: (type: number, reply: Buffer | undefined, late: boolean) => void,
  ): void
}
