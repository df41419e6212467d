/** Whoever holds bytes for a peer that is slow, or for a request that is not whole yet. */
export interface MemoryHolder {
  /** Bytes charged to it. */
  readonly charged: number
  /** Close it, because it holds most and the process is over its limit. */
  relieve(): void
}

/**
 * The bytes that all clients hold together, bounded by `memory`. Over the limit the client that holds most is cut,
 * until it fits again: one that does not read must not take the process down for the others.
 */
export class Memory {
  /** Bytes; a reload may change it. */
  limit: number
  total = 0
  cuts = 0
  private readonly holders = new Set<MemoryHolder>()

  constructor(limit: number) {
    this.limit = limit
  }

  /** `holder` now holds `bytes` instead of `before`. Only holders with bytes are kept here. */
  charge(holder: MemoryHolder, before: number, bytes: number): void {
    this.total += bytes - before
    if (bytes === 0) this.holders.delete(holder)
    else if (before === 0) this.holders.add(holder)
    if (this.total > this.limit && bytes > before) this.relieve()
  }

  private relieve(): void {
    while (this.total > this.limit) {
      let most: MemoryHolder | undefined
      for (const holder of this.holders) if (most === undefined || holder.charged > most.charged) most = holder
      if (most === undefined) return
      const before = this.total
      this.cuts++
      most.relieve()
      if (this.total >= before) return
    }
  }
}
