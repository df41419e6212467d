import { Entry, type Stamp } from './entry.ts'
import { EntryIndex } from './entry-index.ts'
import type { EntryKey, EntryProbe } from './entry-key.ts'
import { OutsideReplies } from './outside-replies.ts'
import { type Segment, Segments, UNIT } from './segments.ts'

/**
 * Entries in segments, one behind the other in the order in which they were stored, and the index that finds them. An
 * entry is of use as long as the index has its address; what is of no use stays where it is until its segment is
 * condensed.
 *
 * It makes no room for anything: its user sees to that before.
 */
export class EntryLog {
  readonly index = new EntryIndex()
  readonly outside = new OutsideReplies()
  readonly segments: Segments
  /** What its user looks at, and what is looked at here. */
  private readonly found = new Entry(this.outside)
  private readonly passed = new Entry(this.outside)

  /** For a cache of so many bytes. */
  constructor(memory: number) {
    this.segments = new Segments(memory)
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.segments.bytes + this.index.bytes + this.outside.bytes
  }

  /** What is kept for this request. */
  find(probe: EntryProbe): Entry | undefined {
    const address = this.index.get(probe.hash)
    if (address === -1) return undefined
    const entry = this.at(address)
    // Another key with the same hash: whichever is stored last stays.
    if (!entry.answers(probe)) return undefined
    entry.used = true
    return entry
  }

  /** The entry of this address. */
  at(address: number): Entry {
    const { segments } = this
    return this.found.open(segments.of(address), segments.offsetOf(address))
  }

  /**
   * Adds an entry, whose hash is not there, to the newest segment, which has room for it. `outside`: the reply,
   * buf[start..end), is to be kept there.
   */
  add(key: EntryKey, stamp: Stamp, buf: Buffer, start: number, end: number, outside: boolean): void {
    const { order } = this.segments
    const segment = order[order.length - 1]
    const entry = this.passed.open(segment, segment.end)
    if (outside) {
      const number = this.outside.add(buf, start, end)
      segment.outside += this.outside.costOf(number)
      entry.write(key, stamp, -1 - number)
    } else {
      entry.write(key, stamp, end - start)
      buf.copy(segment.bytes, entry.replyStart, start, end)
    }
    const { units } = entry
    segment.end += units
    segment.live += units
    this.index.add(key.hash, entry.address)
  }

  /** Whatever there is of this hash is of no use any more; false: there is nothing. */
  dropHash(hash: number): boolean {
    const address = this.index.get(hash)
    if (address === -1) return false
    const { segments } = this
    const segment = segments.of(address)
    this.drop(segment, this.passed.open(segment, segments.offsetOf(address)))
    return true
  }

  /** An entry of this segment is of no use any more. */
  drop(segment: Segment, entry: Entry): void {
    this.index.delete(entry.hash)
    segment.live -= entry.units
    const { outsideNumber } = entry
    if (outsideNumber === -1) return
    segment.outside -= this.outside.costOf(outsideNumber)
    this.outside.drop(outsideNumber)
  }

  /** What find() has given is not to be looked at any more. */
  forget(): void {
    this.found.close()
  }

  /**
   * Shows the entries of the segment that are of use, `most` at most, beginning `offset` units behind its start, where
   * one begins. Returns where it has ended. They may be dropped meanwhile.
   */
  each(segment: Segment, visit: (entry: Entry) => void, offset = 0, most = Number.POSITIVE_INFINITY): number {
    const { passed } = this
    let at = offset
    for (let left = most; at < segment.end && left > 0; left--) {
      const { units } = passed.open(segment, at)
      if (this.isUsed(passed)) visit(passed)
      at += units
    }
    return at
  }

  /**
   * Moves the entries that stay, asked for each that is of use, to the end of `to`, where there is room for them; the
   * others are dropped, and `from` is empty. It may be the same segment: its entries close up.
   */
  condense(from: Segment, to: Segment, stays: (entry: Entry) => boolean): void {
    const { passed } = this
    const { end } = from
    from.end = 0
    for (let at = 0; at < end; ) {
      const { units } = passed.open(from, at)
      if (this.isUsed(passed)) {
        if (stays(passed)) this.moveUp(from, at, units, to)
        else this.drop(from, passed)
      }
      at += units
    }
  }

  /** The entry that is passed. */
  private moveUp(from: Segment, at: number, units: number, to: Segment): void {
    const { passed } = this
    const { hash, outsideNumber } = passed
    passed.used = false
    if (from === to) to.bytes.copyWithin(UNIT * to.end, UNIT * at, UNIT * (at + units))
    else from.bytes.copy(to.bytes, UNIT * to.end, UNIT * at, UNIT * (at + units))
    this.index.move(hash, to.address + to.end)
    to.end += units
    from.live -= units
    to.live += units
    if (outsideNumber === -1) return
    const cost = this.outside.costOf(outsideNumber)
    from.outside -= cost
    to.outside += cost
  }

  private isUsed(entry: Entry): boolean {
    return this.index.get(entry.hash) === entry.address
  }
}
