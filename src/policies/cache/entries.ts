import { type Entry, type Stamp, unitsOf } from './entry.ts'
import type { EntryKey, EntryProbe } from './entry-key.ts'
import { EntryLog } from './entry-log.ts'
import { OUTSIDE_OVERHEAD } from './outside-replies.ts'
import { Room } from './room.ts'
import { UNIT } from './segments.ts'

/** No entry takes more than one part in so many of the memory: it would drive out too much at once. */
export const LARGEST_SHARE = 8
/**
 * Bytes of a reply: a larger one is kept outside of the segments, as copying it would cost more than writing it as it is.
 * Not less: what is outside is left to the garbage collector, which lets some 64 MB of it gather, and what it frees lies
 * between what is in use, so that the allocator cannot give it back. From 4 KiB on, a cache of 64 MiB took 126 MB.
 */
const MOST_INSIDE = 64 * 1024
/** Nor more than one part in so many of a segment, of which a quarter is free after others went. */
const INSIDE_SHARE = 4

/** `large`: it would take too much of the memory. `rejected`: it is full, and what is there is asked for as often. */
export type Stored = 'stored' | 'rejected' | 'large'

/**
 * The replies kept for one tenant, never more than `memory` bytes of them, with all that it costs to keep them. When it
 * is full, a new one comes in only if it was asked for more often of late than those that would have to go for it, and at
 * least twice.
 *
 * It knows nothing of whether an entry is still good: its user asks, and drops those that are not.
 */
export class Entries {
  private readonly memory: number
  private readonly isDead: (entry: Entry) => boolean
  private log: EntryLog
  private room: Room
  /** Of rooms that were before. */
  private evicted = 0

  /** `isDead`: can this entry never be served again? Then anything may take its place. */
  constructor(memory: number, isDead: (entry: Entry) => boolean) {
    this.memory = memory
    this.isDead = isDead
    this.log = new EntryLog(memory)
    this.room = new Room(this.log, memory, isDead)
  }

  /** Bytes that it takes, at most `memory`. */
  get bytes(): number {
    return this.room.bytes
  }

  get count(): number {
    return this.log.index.count
  }

  /** Entries that were dropped for others. */
  get evictions(): number {
    return this.evicted + this.room.evictions
  }

  /**
   * What is kept for this request, however old. It counts as being asked for. The object is the same each time, and valid
   * until the next call of anything here.
   */
  find(probe: EntryProbe): Entry | undefined {
    this.room.note(probe.hash, probe.check)
    return this.log.find(probe)
  }

  /** An entry that find() has given, by its address: as long as nothing was stored, and it was not dropped. */
  at(address: number): Entry {
    return this.log.at(address)
  }

  /** Keeps a copy of buf[start..end), the whole reply, in place of what there is for this key. */
  store(key: EntryKey, stamp: Stamp, buf: Buffer, start: number, end: number): Stored {
    const { log, room } = this
    log.forget()
    const known = log.dropHash(key.hash)
    const length = end - start
    const most = log.segments.units / INSIDE_SHARE
    const isOutside = length > MOST_INSIDE || unitsOf(key.argsEnd + length) > most
    const units = unitsOf(key.argsEnd + (isOutside ? 0 : length))
    const outside = isOutside ? length + OUTSIDE_OVERHEAD : 0
    if (units > most || units * UNIT + outside > this.memory / LARGEST_SHARE) return 'large'
    if (!room.make(units, outside, known ? Number.POSITIVE_INFINITY : room.frequencyOf(key))) return 'rejected'
    log.add(key, stamp, buf, start, end, isOutside)
    return 'stored'
  }

  /** What find() has given is of no use any more. */
  drop(entry: Entry): void {
    this.log.dropHash(entry.hash)
    this.log.forget()
  }

  /**
   * Drops the entries of the keys, bytes[start..end) without the prefix, that match; says how many. It looks at all of
   * them.
   */
  dropMatching(matches: (bytes: Buffer, start: number, end: number) => boolean): number {
    const { log } = this
    const { count } = this
    log.forget()
    for (const segment of log.segments.order)
      log.each(segment, (entry) => {
        if (matches(entry.bytes, entry.start, entry.keyEnd)) log.drop(segment, entry)
      })
    return count - this.count
  }

  /** Drops all, and its memory; says how many. */
  clear(): number {
    const { count } = this
    this.evicted = this.evictions
    this.log.forget()
    this.log = new EntryLog(this.memory)
    this.room = new Room(this.log, this.memory, this.isDead)
    return count
  }
}
