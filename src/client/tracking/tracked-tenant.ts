import type { Flushable, Turn } from '../../lib/turn.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Stats } from '../stats.ts'
import { Broadcasts } from './broadcasts.ts'
import { Notice } from './notice.ts'
import type { Read, Reader, Readers } from './reader.ts'
import { TrackedKeys, type TrackingBudget } from './tracked-keys.ts'

/** The upstream, as the tracking of one of its tenants sees it. */
export interface TrackedGround {
  readonly turn: Turn
  readonly budget: TrackingBudget
  /** Raised whenever writes may have been missed, and when all keys may have changed. */
  readonly epoch: number
  /** Writes to all keys with this prefix are heard of now, soon enough. */
  hears(prefix: Buffer): boolean
}

/** All that clients of one tenant track at one upstream, in this process. */
export class TrackedTenant implements Flushable {
  dirty = false
  readonly tenant: string
  /** In front of the raw keys of all its databases. */
  readonly prefix: Buffer
  readonly stats: Stats
  readonly broadcasts = new Broadcasts()
  /** Its clients that track. */
  readonly readers = new Set<Reader>()
  /** Those of them with reads under way. */
  readonly busy = new Set<Reader>()
  /** Those who listen are told of all writes. */
  private listening = false
  /** Read, and not written since. */
  private readonly keys: TrackedKeys
  /** Who is told what at the end of the turn. */
  private pending: (readonly [Readers, Notice])[] = []
  /** By name: reads that are under way. */
  private readonly reads = new Map<string, Set<Read>>()
  private readonly ground: TrackedGround
  private readonly numbered: boolean

  constructor({ databases, name, prefix }: Tenant, stats: Stats, ground: TrackedGround) {
    this.tenant = name
    this.prefix = Buffer.from(prefix, 'latin1')
    this.numbered = databases !== undefined
    this.stats = stats
    this.ground = ground
    this.keys = new TrackedKeys(ground.budget, (key, readers) => this.evicted(key, readers))
  }

  get epoch(): number {
    return this.ground.epoch
  }

  /** Writes to its keys are heard of now, soon enough. */
  get heard(): boolean {
    return this.ground.hears(this.prefix)
  }

  // What is read.

  /** A read is about to be sent. */
  enter(read: Read): void {
    this.busy.add(read.reader)
    for (const name of read.names) {
      const others = this.reads.get(name)
      if (others === undefined) this.reads.set(name, new Set([read]))
      else others.add(read)
    }
  }

  /** It is not under way any more. */
  forget(read: Read): void {
    for (const name of read.names) {
      const others = this.reads.get(name)
      if (others?.delete(read) === true && others.size === 0) this.reads.delete(name)
    }
  }

  /** Its reply has gone out. */
  settle(read: Read): void {
    this.forget(read)
    const { reader, written } = read
    const names = written === undefined ? read.names : read.names.filter((name) => !written.has(name))
    this.know(reader, names, this.heard && read.epoch === this.epoch)
    for (const name of written ?? []) reader.tell(Notice.of([name]))
  }

  /**
   * The client has these values now. `heard`: and writes to them, since they were read, are heard of; otherwise it is told at once
   * not to keep them.
   */
  know(reader: Reader, names: readonly string[], heard: boolean): void {
    if (!heard) for (const name of names) reader.tell(Notice.of([name]))
    else if (!reader.bcast) {
      for (const name of names) {
        if (reader.over) break
        if (name.length > LONGEST_NAME) reader.tell(Notice.of([name]))
        else this.keys.add(name, reader)
      }
    }
    this.stats.trackedKeys = this.keys.pairs
  }

  // What is written.

  /**
   * Of the tenant. Clients are told at the end of the turn: what the server has answered to the one who wrote comes on another connection,
   * mostly in the same turn, and goes first, as with Redis.
   */
  invalidated(rawKey: Buffer): void {
    const start = this.nameStart(rawKey)
    if (start < 0) return
    const name = rawKey.toString('latin1', start)
    const readers = this.keys.take(name)
    const reads = this.reads.get(name)
    if (readers !== undefined) {
      this.pending.push([readers, Notice.of([name])])
      if (this.pending.length >= MOST_PENDING) this.send()
      else this.wake()
    }
    if (reads !== undefined) {
      for (const read of reads) (read.written ??= new Set()).add(name)
      // Most of them are answered when their client is told so; one may have been before.
      for (const read of [...reads]) read.reader.settle()
    }
    if (!this.broadcasts.empty && !this.isOwn(name) && this.broadcasts.add(name)) this.wake()
    this.stats.trackedKeys = this.keys.pairs
  }

  /** Keyward's own, which lie among the keys of the tenant without a prefix: it is written all the time, and nobody's business. */
  private isOwn(name: string): boolean {
    return this.prefix.length === 0 && name.startsWith(OWN_KEYS)
  }

  private wake(): void {
    if (!this.dirty) this.ground.turn.add(this)
  }

  /** Tells what is to be told. */
  private send(): void {
    const { pending } = this
    if (pending.length > 0) {
      this.pending = []
      for (const [readers, notice] of pending) this.tell(readers, notice)
    }
    this.broadcasts.send()
  }

  /** Where the tenant's own name begins; -1: it is none of its keys. */
  private nameStart(rawKey: Buffer): number {
    const { length } = this.prefix
    if (!this.numbered) return length
    let at = length
    while (at < rawKey.length && rawKey[at] >= ZERO && rawKey[at] <= NINE) at++
    return at > length && rawKey[at] === COLON ? at + 1 : -1
  }

  private tell(readers: Readers, notice: Notice): void {
    if (readers instanceof Set) for (const reader of readers) reader.tell(notice)
    else readers.tell(notice)
  }

  private evicted(name: string, readers: Readers): void {
    this.stats.trackingEvicted += readers instanceof Set ? readers.size : 1
    this.stats.trackedKeys = this.keys.pairs
    // Not from here: who is told may be cut off, in the middle of what made it make room.
    this.pending.push([readers, Notice.of([name])])
    if (this.pending.length >= MOST_PENDING) this.send()
    else this.wake()
  }

  /** Somebody listens from now on: where all writes are told of already, nothing begins. */
  joined(): void {
    if (this.heard) this.listening = true
  }

  /** What was written before is told of from now on, to those who listen and read nothing themselves. `heard`: all writes are, now. */
  listen(heard: boolean): void {
    const begins = heard && !this.listening
    this.listening = heard
    if (begins) for (const reader of this.readers) if (reader.bcast) reader.tellEverything()
  }

  /** All its keys may have changed. */
  everything(): void {
    this.send()
    this.keys.clear()
    this.stats.trackedKeys = 0
    for (const reader of this.readers) reader.tellEverything()
  }

  /** The end of a turn. */
  flush(): void {
    this.dirty = false
    this.send()
  }

  /** Reads are looked at whose end nobody has told. */
  tick(): void {
    for (const reader of this.busy) reader.settle()
  }

  close(): void {
    this.keys.close()
    this.stats.trackedKeys = 0
  }
}

/** Bytes of a name that is kept: of a longer one a reader is told at once that it must not keep what it has read. */
const LONGEST_NAME = 1024
/** Names for which readers wait to be told; more are told at once. */
const MOST_PENDING = 10_000

const OWN_KEYS = 'keyward:'
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
