import type { Reader, Readers } from './reader.ts'

/** Bytes of a name that count as one key more: a long name takes more room than all else that is known of it. */
const PART = 64

/**
 * Which clients of one tenant have read which keys since they were told of the last change: by the tenant's own names, whatever the
 * database, as in Redis. A name is one string for all who have read it (one character per byte): what tracks pays for that, nobody else.
 *
 * A client that has left stays where it is until the key changes or makes room, so that leaving takes no time; Redis does the same.
 * Limit: TrackingBudget.
 */
export class TrackedKeys {
  /** Clients times names. */
  pairs = 0
  /** The same, and one for each PART bytes of each name: what counts for the budget. */
  size = 0
  private readonly readers = new Map<string, Readers>()
  private readonly budget: TrackingBudget
  private readonly onEvicted: (name: string, readers: Readers) => void
  /** Goes on where it was: one that begins anew would pass all that has left a map of a million. */
  private oldest: MapIterator<string>
  private closed = false

  /** `onEvicted`: the name had to make room. */
  constructor(budget: TrackingBudget, onEvicted: (name: string, readers: Readers) => void) {
    this.budget = budget
    this.onEvicted = onEvicted
    this.oldest = this.readers.keys()
    budget.enter(this)
  }

  add(name: string, reader: Reader): void {
    // Making room for the name before this one may have cut off the last reader.
    if (this.closed) return
    const before = this.readers.get(name)
    let size = 1
    if (before === undefined) {
      this.readers.set(name, reader)
      size += partsOf(name)
    } else if (before === reader) return
    else if (before instanceof Set) {
      if (before.has(reader)) return
      before.add(reader)
    } else this.readers.set(name, new Set([before, reader]))
    this.pairs++
    this.size += size
    this.budget.spend(size)
  }

  has(name: string, reader: Reader): boolean {
    const readers = this.readers.get(name)
    return readers === reader || (readers instanceof Set && readers.has(reader))
  }

  /** Forgets a name; who had read it. */
  take(name: string): Readers | undefined {
    const readers = this.readers.get(name)
    if (readers === undefined) return undefined
    this.readers.delete(name)
    const pairs = readers instanceof Set ? readers.size : 1
    this.release(pairs, pairs + partsOf(name))
    return readers
  }

  /** Forgets the name that was read first. */
  evict(): void {
    let next = this.oldest.next()
    if (next.done === true) {
      this.oldest = this.readers.keys()
      next = this.oldest.next()
    }
    if (next.done === true) return
    const readers = this.take(next.value)
    if (readers !== undefined) this.onEvicted(next.value, readers)
  }

  clear(): void {
    this.release(this.pairs, this.size)
    this.readers.clear()
    this.oldest = this.readers.keys()
  }

  /** There are no readers any more. */
  close(): void {
    this.closed = true
    this.clear()
    this.budget.leave(this)
  }

  private release(pairs: number, size: number): void {
    this.pairs -= pairs
    this.size -= size
    this.budget.used -= size
  }
}

/** How many keys more a name counts as, however many have read it: its bytes are there once. */
function partsOf(name: string): number {
  return Math.floor(name.length / PART)
}

/** Names for which the same table makes room, before the largest is looked for again. */
const FROM_ONE = 1000

/**
 * Sizes of all tables of the process. Where there are too many, the table that has most forgets those that it has known
 * longest, and tells so: a tenant that reads everything pushes its own keys out, not those of others.
 */
export class TrackingBudget {
  /** A reload may change it. */
  limit: number
  used = 0
  private readonly tables = new Set<TrackedKeys>()
  private largest: TrackedKeys | undefined = undefined
  private left = 0

  constructor(limit: number) {
    this.limit = limit
  }

  enter(table: TrackedKeys): void {
    this.tables.add(table)
  }

  leave(table: TrackedKeys): void {
    this.tables.delete(table)
    if (this.largest === table) this.largest = undefined
  }

  /** So much more. */
  spend(size: number): void {
    this.used += size
    while (this.used > this.limit && this.evict()) {}
  }

  /** False: there is nothing to forget. */
  private evict(): boolean {
    if (this.largest === undefined || this.left === 0 || this.largest.size === 0) {
      this.left = FROM_ONE
      this.largest = undefined
      for (const table of this.tables) if (table.size > (this.largest?.size ?? 0)) this.largest = table
    }
    this.left--
    this.largest?.evict()
    return this.largest !== undefined
  }
}
