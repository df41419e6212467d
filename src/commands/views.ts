import type { Session } from '../session/session.ts'

// What Keyward keeps for the view that a tenant has of a server of its own: its clients, its slow requests.

/** One client of a tenant in this process, as CLIENT LIST shows it and CLIENT KILL closes it. */
export interface ClientView {
  readonly session: Session
  /** Commands queued since MULTI; -1 outside of one. */
  readonly queued: number
  /** Bytes kept for those that Keyward answers itself. */
  readonly queuedBytes: number
  /** A command of it blocks, or waits for the connection on which it will. */
  readonly blocked: boolean
  /** Bytes of requests that are not whole, or not looked at yet. */
  readonly inputBytes: number
  /** Bytes of replies that the kernel has not taken yet. */
  readonly outputBytes: number
  /** All that it holds, in bytes. */
  readonly heldBytes: number
  /** Closes it, once the request at hand is done; what it has not read by then is dropped. clientsOf() leaves it out at once. */
  kill(): void
}

/** One request that took long, as SLOWLOG GET shows it. */
export interface SlowEntry {
  readonly id: number
  /** Seconds since the epoch, at its end. */
  readonly time: number
  readonly microseconds: number
  /** With the tenant's own key names, shortened in Redis' way. */
  readonly args: readonly Buffer[]
  readonly address: string
  readonly name: string
}

export interface SlowLogView {
  readonly length: number
  /** At most so many, newest first. */
  newest(count: number): readonly SlowEntry[]
  /** Forgets all entries; ids go on. */
  reset(): void
}

/**
 * The near cache of a tenant in this process, as CACHE.STATS shows it. Counters since it was configured: requests for keys
 * of its rules, each counted once, in `hits`, `staleServed`, `misses` or `coalesced`, and what became of entries.
 */
export interface CacheStats {
  readonly hits: number
  /** Entries past their end, served while the upstream was away. */
  readonly staleServed: number
  /** Of them, `crowded` found too much under way, went upstream as without a cache, and left nothing in it. */
  readonly misses: number
  readonly crowded: number
  /** Waited for the reply to a miss; not among `misses`. */
  readonly coalesced: number
  readonly stored: number
  /** Not kept, because too many replies waited for the times to live of their keys. */
  readonly skipped: number
  /** Not kept, because there was no room and what is there is asked for more. */
  readonly rejected: number
  readonly invalidations: number
  readonly evictions: number
  readonly expired: number
  /** Now. */
  readonly entries: number
  readonly bytes: number
  /** The most that `bytes` may be; 0: the tenant has no cache. */
  readonly memory: number
  /** Milliseconds by which a hit may be behind now; undefined: writes of others are not heard of, so there are no hits. */
  readonly behind: number | undefined
}
