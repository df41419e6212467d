/** The near cache of one tenant, in this process, since it was configured. */
export interface CacheView {
  readonly tenant: string
  /** Bytes that its entries take now, with what it costs to keep them, and that they may take. */
  readonly bytes: number
  readonly memory: number
  readonly entries: number
  /** Entries dropped for newer ones. */
  readonly evictions: number
  /** Replies that were not kept: no room, and less asked for than what is there, or larger than an entry may be. */
  readonly rejected: number
  /** Milliseconds since which writes of others may not have been heard of; Infinity: they are not heard of, and nothing is served. */
  readonly behind: number
  /** In the order of the configuration. */
  readonly rules: readonly CacheRuleView[]
}

/**
 * Requests that the cache could have answered, by the rule of their key: each is counted once, in `hits`, `staleServed`, `misses` or
 * `coalesced`. MGET counts for the rule of its first key. Then what became of entries.
 */
export interface CacheRuleView {
  /** As the configuration has it. */
  readonly keys: string
  readonly hits: number
  /** Entries that were past their end, or whose writes were not heard of any more, served while the upstream was away. */
  readonly staleServed: number
  /** Went upstream, or were fetched. Of them, `crowded` found too much under way: they went upstream as without a cache, and left nothing. */
  readonly misses: number
  readonly crowded: number
  /** Waited for the reply to a miss; not among `misses`. */
  readonly coalesced: number
  readonly stored: number
  /** Replies that were not kept, because too many waited for the times to live of their keys. */
  readonly skipped: number
  /** Entries found outdated: their key had been written, or may have been. */
  readonly invalidations: number
  /** Entries found past their end. */
  readonly expired: number
}
