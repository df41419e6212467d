import { LRUCache } from 'lru-cache'
import { Frequencies } from './admission.ts'
import type { EntryKey, EntryProbe } from './entry-key.ts'
import { roomFor, SpareMemory } from './spare-memory.ts'

/**
 * Bytes that an entry takes beside those of its reply, key and arguments: measured, and rounded up. They are the entry,
 * two Buffers over one ArrayBuffer, what the allocator keeps for that, and the places in lru-cache's arrays and map at
 * their emptiest.
 */
const OVERHEAD = 800
/** Of these, those that go on being taken when the memory of an entry is spare. */
const SPARE_OVERHEAD = 400
/** No entry takes more than one part in so many of the memory: it would drive out too much at once. */
export const LARGEST_SHARE = 8
/**
 * An entry that is among the newest, one in so many of all, is not moved to the front when it is used: that would cost
 * as much as finding it.
 */
const FRONT_SHARE = 8
/** And what is spare takes no more than one part in so many. */
const SPARE_SHARE = 16

/** What was true when the fetch of a reply began, and how long that may be served. */
export interface Stamp {
  /** Of the raw key, in Generations. */
  readonly slot: number
  readonly generation: number
  readonly tenantEpoch: number
  readonly feedEpoch: number
  /** Both on the process clock, in milliseconds. */
  readonly storedAt: number
  readonly expiresAt: number
}

/** A reply that is kept. */
export class Entry implements EntryKey, Stamp {
  // What is looked at for each hit comes first, and so is together in memory: most of what a hit costs is waiting for
  // that.
  /** The key, then the arguments, then the reply. */
  bytes: Buffer
  readonly check: number
  readonly keyEnd: number
  readonly count: number
  readonly command: number
  readonly db: number
  readonly protocol: 2 | 3
  private view: Buffer | undefined = undefined
  readonly slot: number
  readonly generation: number
  readonly tenantEpoch: number
  readonly feedEpoch: number
  readonly expiresAt: number
  /** In Entries.stored, when it was moved to the front last. */
  used: number
  /** For its user: when the server was last told that the key is in use. */
  touchedAt: number
  readonly storedAt: number
  readonly argsEnd: number
  readonly replyEnd: number
  readonly hash: number
  /** Of the reply: its RESP type byte. */
  readonly type: number

  /** `bytes`: its own from now on, and long enough. `used`: see there. */
  constructor(
    key: EntryKey,
    stamp: Stamp,
    type: number,
    buf: Buffer,
    start: number,
    end: number,
    bytes: Buffer,
    used: number,
  ) {
    this.bytes = bytes
    this.check = key.check
    this.keyEnd = key.keyEnd
    this.count = key.count
    this.command = key.command
    this.db = key.db
    this.protocol = key.protocol
    this.slot = stamp.slot
    this.generation = stamp.generation
    this.tenantEpoch = stamp.tenantEpoch
    this.feedEpoch = stamp.feedEpoch
    this.expiresAt = stamp.expiresAt
    this.used = used
    this.touchedAt = stamp.storedAt
    this.storedAt = stamp.storedAt
    this.argsEnd = key.bytes.copy(bytes, 0, 0, key.argsEnd)
    this.replyEnd = this.argsEnd + buf.copy(bytes, this.argsEnd, start, end)
    this.hash = key.hash
    this.type = type
  }

  /**
   * The whole reply, as Redis sent it. It never changes, so it may be written to a socket as it is, even when the entry
   * has gone by then: memory that was given out once is not used again, but left to the garbage collector.
   */
  get reply(): Buffer {
    if (this.view === undefined) {
      if (this.bytes === NO_BYTES) throw new Error('a reply asked of an entry that has gone')
      this.view = this.bytes.subarray(this.argsEnd, this.replyEnd)
    }
    return this.view
  }

  /** The entry has gone: its memory, unless somebody was given the reply and may still have it. */
  release(): Buffer | undefined {
    const { bytes } = this
    this.bytes = NO_BYTES
    return this.view === undefined ? bytes : undefined
  }
}

const NO_BYTES = Buffer.alloc(0)

/** `large`: it would take too much of the memory. `rejected`: it is full, and what is there is asked for as often. */
export type Stored = 'stored' | 'rejected' | 'large'

/**
 * The replies kept for one tenant, never more than `memory` bytes of them, with all that it costs to keep them. When it
 * is full, a new one comes in only if it was asked for at least twice of late, and more often than each of the least
 * recently used that would have to go for it: a scan does not drive out what is in use.
 *
 * It knows nothing of whether an entry is still good: its user asks, and drops those that are not.
 */
export class Entries {
  /** Entries that were dropped for others. */
  evictions = 0
  /** Entries there have ever been. */
  private stored = 0
  private readonly memory: number
  private readonly isDead: (entry: Entry) => boolean
  private readonly room: number
  private lru: LRUCache<number, Entry>
  private spare: SpareMemory
  /** From half full on, as only then it is known how many entries there will be. */
  private frequencies: Frequencies | undefined = undefined
  private items = 0
  /** lru-cache would make new options for each call. */
  private readonly got = {}
  private readonly sized = { size: 0 }

  /** `isDead`: can this entry never be served again? Then anything may take its place. */
  constructor(memory: number, isDead: (entry: Entry) => boolean) {
    this.memory = memory
    this.isDead = isDead
    this.room = memory - memory / SPARE_SHARE
    this.lru = this.none()
    this.spare = this.noSpare()
  }

  /** Bytes that it takes, at most `memory`. */
  get bytes(): number {
    return this.used + this.spare.bytes
  }

  get count(): number {
    return this.lru.size
  }

  /** What is kept for this request, however old. It counts as being asked for. */
  find(probe: EntryProbe): Entry | undefined {
    this.frequencies?.note(probe.hash, probe.check)
    const entry = this.lru.peek(probe.hash, this.got)
    // Another key with the same hash: whichever is stored last stays.
    if (entry === undefined || !probe.matches(entry)) return undefined
    if (this.stored - entry.used > this.lru.size / FRONT_SHARE) {
      entry.used = this.stored
      this.lru.get(probe.hash, this.got)
    }
    return entry
  }

  /**
   * Keeps a copy of buf[start..end), the whole reply, in place of what there is for this key. `type`: its RESP type
   * byte.
   */
  store(key: EntryKey, stamp: Stamp, type: number, buf: Buffer, start: number, end: number): Stored {
    const length = roomFor(key.argsEnd + end - start)
    const size = OVERHEAD + length
    const known = this.lru.delete(key.hash)
    if (size > this.memory / LARGEST_SHARE) return 'large'
    this.countFrequencies()
    if (!this.makeRoom(size, known ? Number.POSITIVE_INFINITY : this.frequencyOf(key))) return 'rejected'
    this.sized.size = size
    this.lru.set(
      key.hash,
      new Entry(key, stamp, type, buf, start, end, this.spare.take(length), ++this.stored),
      this.sized,
    )
    return 'stored'
  }

  /** It is of no use any more. */
  drop(entry: Entry): void {
    if (this.lru.peek(entry.hash) === entry) this.lru.delete(entry.hash)
  }

  /**
   * Drops the entries of the keys, bytes[start..end) without the prefix, that match; says how many. It looks at all of
   * them.
   */
  dropMatching(matches: (bytes: Buffer, start: number, end: number) => boolean): number {
    const found: Entry[] = []
    for (const entry of this.lru.values())
      if (entry !== undefined && matches(entry.bytes, 0, entry.keyEnd)) found.push(entry)
    for (const entry of found) this.lru.delete(entry.hash)
    return found.length
  }

  /** Drops all; says how many. */
  clear(): number {
    const { size } = this.lru
    this.lru = this.none()
    this.spare = this.noSpare()
    this.frequencies = undefined
    return size
  }

  /**
   * Drops the least recently used until `size` more bytes fit, unless one of them is asked for as often as `frequency`.
   */
  private makeRoom(size: number, frequency: number): boolean {
    let missing = this.used + size - this.room
    if (missing <= 0) return true
    let victims = 0
    for (const entry of this.lru.rvalues()) {
      if (entry === undefined) continue
      if (!this.isDead(entry) && this.frequencyOf(entry) >= frequency) return false
      victims++
      missing -= OVERHEAD + entry.bytes.length
      if (missing <= 0) break
    }
    for (; victims > 0; victims--) this.evict()
    return true
  }

  /** At least 1: what was asked for once, as by a scan, takes the place of nothing, however long ago that was used. */
  private frequencyOf({ hash, check }: EntryKey): number {
    return Math.max(1, this.frequencies?.of(hash, check) ?? 1)
  }

  private countFrequencies(): void {
    if (this.frequencies === undefined ? this.used < this.room / 2 : this.lru.size <= this.items) return
    this.items = 2 * this.lru.size
    this.frequencies = new Frequencies(this.items)
    while (this.used > this.room) this.evict()
  }

  private evict(): void {
    this.lru.pop()
    this.evictions++
  }

  /** Without what is spare. */
  private get used(): number {
    return this.lru.calculatedSize + (this.frequencies?.bytes ?? 0)
  }

  private none(): LRUCache<number, Entry> {
    // Without `max`, which would take memory for that many at once.
    return new LRUCache<number, Entry>({
      maxSize: this.memory,
      dispose: (entry) => {
        const bytes = entry.release()
        if (bytes !== undefined) this.spare.give(bytes)
      },
    })
  }

  private noSpare(): SpareMemory {
    return new SpareMemory(this.memory / SPARE_SHARE, SPARE_OVERHEAD)
  }
}
