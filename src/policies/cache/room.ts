import { Frequencies, MOST } from './admission.ts'
import type { Entry } from './entry.ts'
import type { EntryLog } from './entry-log.ts'
import type { Segment } from './segments.ts'
import { RANKS, Survivors } from './survivors.ts'

/** So much of a segment is kept when others have to go, at most. */
const KEPT = 3 / 4
/** Where one unit in so many is of no use, it pays to condense. */
const UNUSED_SHARE = 4
/** Segments of which the one goes that is asked for least, if the oldest is asked for more often than is usual. */
const MOST_COMPARED = 4
/** When replies outside have to go, one part in so many of the memory goes at once: looking for them costs as much for one. */
const SLACK_SHARE = 128
/** Segments that are gone through for one reply outside. */
const MOST_SEARCHED = 4
/** After a search that found nobody who could go, as many more that would not find more either are not made. */
const MOST_SPARED = 256
/** Entries that are looked at, whether they are dead, for each newcomer that finds no room. */
const SWEPT = 8

/**
 * Who may come in when the memory is full, and who goes. The oldest segment is gone through: what is dead goes first,
 * then what is asked for least, until a quarter of it is free. Then it is the newest, and who is asked for more often
 * than all who went may come in: a scan does not drive out what is in use.
 */
export class Room {
  /** Entries that went for others, though they could have been served. */
  evictions = 0
  private readonly log: EntryLog
  private readonly memory: number
  private readonly isDead: (entry: Entry) => boolean
  private readonly survivors = new Survivors()
  /** From half full on, as only then it is known how many entries there will be. */
  private frequencies: Frequencies | undefined = undefined
  /** Who comes into the newest segment has to be asked for more often. */
  private bar = 0
  /** Frequencies.halvings then. */
  private barAt = 0
  /** Who is asked for no more often finds no room outside; as often as `spared` says, that need not be found out again. */
  private outsideBar = 0
  private spared = 0
  /** The highest rank that went of a segment last. */
  private usual = 0
  /** Newcomers that were asked for more than once, and yet no more often than the bar, since that was last questioned. */
  private rejected = 0
  private swept: Segment | undefined = undefined
  private sweptTo = 0

  constructor(log: EntryLog, memory: number, isDead: (entry: Entry) => boolean) {
    this.log = log
    this.memory = memory
    this.isDead = isDead
  }

  /** Bytes that all of it takes. */
  get bytes(): number {
    return this.log.bytes + (this.frequencies?.bytes ?? 0)
  }

  /** It was asked for. */
  note(hash: number, check: number): void {
    this.frequencies?.note(hash, check)
  }

  /** At least 1: what was asked for once, as by a scan, takes the place of nothing, however long ago that was used. */
  frequencyOf({ hash, check }: { readonly hash: number; readonly check: number }): number {
    return Math.max(1, this.frequencies?.of(hash, check) ?? 1)
  }

  /**
   * For an entry of `units` at the end of the newest segment, one in the index, and `outside` bytes besides. False:
   * those that would have to go are asked for as often as `frequency`.
   */
  make(units: number, outside: number, frequency: number): boolean {
    this.countFrequencies()
    const { index } = this.log
    const { growth } = index
    if (growth > 0) {
      if (!this.free(growth, Number.POSITIVE_INFINITY, 0)) return false
      index.grow()
    }
    return this.makeInside(units, frequency) && (outside === 0 || this.makeOutside(outside, frequency, units))
  }

  private makeInside(units: number, frequency: number): boolean {
    const { segments } = this.log
    const newest = segments.order.at(-1)
    if (newest === undefined || newest.end + units > segments.units) this.renew()
    return frequency > this.barNow || this.sweep() || (frequency > 1 && this.reconsider(frequency))
  }

  /** Another segment is the newest, a quarter of which is free. */
  private renew(): void {
    const { segments } = this.log
    const { order, cost } = segments
    const canAdd = segments.extends && this.hasRoom(cost)
    const unused = order.length * segments.units - segments.live
    if (!canAdd || unused * UNUSED_SHARE > order.length * segments.units) {
      const emptiest = this.emptiest()
      if (emptiest !== undefined && this.isWorthIt(emptiest)) {
        this.clean(emptiest)
        return
      }
    }
    if (canAdd) {
      segments.add()
      this.bar = 0
    } else this.evict()
  }

  private emptiest(): Segment | undefined {
    let emptiest: Segment | undefined
    for (const segment of this.log.segments.order)
      if (emptiest === undefined || segment.live < emptiest.live) emptiest = segment
    return emptiest
  }

  private isWorthIt({ live }: Segment): boolean {
    const { units } = this.log.segments
    return (units - live) * UNUSED_SHARE >= units
  }

  /** What is of no use goes; there is enough of that for anybody to come in. */
  private clean(segment: Segment): void {
    this.condense(segment, segment, (entry) => !this.isDead(entry))
    this.log.segments.renew(segment)
    this.bar = 0
  }

  /** A quarter of one of the oldest segments goes, or what is dead, if that is more. */
  private evict(): void {
    const { segments } = this.log
    const { order } = segments
    // One in which everything is asked for often would lose what is worth more than what is in others.
    let segment = order[0]
    let least = this.lastOf(segment)
    const oldest = order.slice(1, MOST_COMPARED)
    for (const other of oldest) {
      if (least <= this.usual) break
      const last = this.lastOf(other)
      const [spared, chosen] = last < least ? [segment, other] : [other, segment]
      segments.renew(spared)
      segment = chosen
      least = Math.min(least, last)
    }
    this.evictFrom(segment)
  }

  private evictFrom(segment: Segment): void {
    const { log, survivors } = this
    const { segments } = log
    this.usual = this.lastOf(segment)
    this.condense(segment, segment, (entry) => this.stays(entry, entry.units))
    segments.renew(segment)
    // As often as can be told always suffices.
    this.bar = Math.min(survivors.bar, MOST - 1)
    this.barAt = this.frequencies?.halvings ?? 0
  }

  /**
   * When many were turned away, for those who went last were asked for more often: perhaps there are others who are not.
   */
  private reconsider(frequency: number): boolean {
    const { segments } = this.log
    const { order } = segments
    if (++this.rejected < MOST_SPARED || order.length < 2) return false
    this.rejected = 0
    const oldest = order[0]
    const newest = order[order.length - 1]
    if (this.lastOf(oldest) < RANKS * frequency) {
      this.evictFrom(oldest)
      return true
    }
    segments.renew(oldest)
    segments.renew(newest)
    return false
  }

  /** The highest rank that would go of this segment. */
  private lastOf(segment: Segment): number {
    this.weigh(segment, (entry) => entry.units)
    this.survivors.limit(this.log.segments.units * KEPT, Number.POSITIVE_INFINITY)
    return this.survivors.last
  }

  private makeOutside(size: number, frequency: number, reserved: number): boolean {
    if (this.hasRoom(size)) return true
    if (frequency > this.outsideBar || this.spared <= 0) {
      if (this.free(size, frequency, reserved)) return true
      this.outsideBar = Math.min(frequency, MOST - 1)
      this.spared = MOST_SPARED
    }
    this.spared--
    this.sweep()
    return this.hasRoom(size)
  }

  private hasRoom(size: number): boolean {
    return this.bytes + size <= this.memory
  }

  /**
   * Room for `size` bytes outside of segments: replies there go, or whole segments, and nothing that is asked for as
   * often as `frequency`. In the newest segment, `reserved` units are somebody else's.
   */
  private free(size: number, frequency: number, reserved: number): boolean {
    if (this.hasRoom(size)) return true
    let searched = 0
    for (const segment of this.log.segments.order) {
      if (segment.outside === 0) continue
      this.dropOutside(segment, size, frequency)
      if (this.hasRoom(size)) return true
      if (++searched === MOST_SEARCHED) break
    }
    while (this.giveBack(frequency, reserved)) if (this.hasRoom(size)) return true
    return false
  }

  private dropOutside(segment: Segment, size: number, frequency: number): void {
    const { log, survivors } = this
    const costOf = ({ outsideNumber }: Entry) => (outsideNumber === -1 ? 0 : log.outside.costOf(outsideNumber))
    this.weigh(segment, costOf)
    const missing = this.bytes + size - this.memory
    if (missing <= 0) return
    survivors.limit(Math.max(0, segment.outside - missing - this.memory / SLACK_SHARE), frequency)
    log.each(segment, (entry) => {
      if (entry.outsideNumber !== -1 && !this.stays(entry, costOf(entry))) log.drop(segment, entry)
    })
  }

  /** The oldest segment goes. What stays of it moves to the newest; false: there is not enough room for that. */
  private giveBack(frequency: number, reserved: number): boolean {
    const { log, survivors } = this
    const { segments } = log
    const { order } = segments
    if (order.length < 2) return false
    const [oldest] = order
    const newest = order[order.length - 1]
    this.weigh(oldest, (entry) => entry.units)
    survivors.limit(segments.units - newest.end - reserved, Number.POSITIVE_INFINITY)
    if (survivors.bar >= frequency) return false
    this.condense(oldest, newest, (entry) => this.stays(entry, entry.units))
    segments.remove(oldest)
    return true
  }

  /** Drops what is dead, and weighs the rest. */
  private weigh(segment: Segment, weightOf: (entry: Entry) => number): void {
    const { log, survivors } = this
    survivors.begin()
    log.each(segment, (entry) => {
      if (this.isDead(entry)) log.drop(segment, entry)
      else survivors.add(this.frequencyOf(entry), entry.used, weightOf(entry))
    })
  }

  private stays(entry: Entry, weight: number): boolean {
    const stays = this.survivors.stays(this.frequencyOf(entry), entry.used, weight)
    if (!stays) this.evictions++
    return stays
  }

  private condense(from: Segment, to: Segment, stays: (entry: Entry) => boolean): void {
    this.log.condense(from, to, stays)
    if (this.swept === from) this.swept = undefined
  }

  /**
   * Nothing tells when entries die, and where hardly anybody comes in, no segment is gone through. True: so much was dead
   * that anybody may come in now.
   */
  private sweep(): boolean {
    const { log } = this
    const { order } = log.segments
    if (this.swept === undefined || this.sweptTo >= this.swept.end) {
      const next = this.swept === undefined ? 0 : order.indexOf(this.swept) + 1
      this.swept = order[next % order.length]
      this.sweptTo = 0
    }
    const segment = this.swept
    const drop = (entry: Entry) => {
      if (this.isDead(entry)) log.drop(segment, entry)
    }
    const live = segment.live
    this.sweptTo = log.each(segment, drop, this.sweptTo, SWEPT)
    if (segment.live === live || !this.isWorthIt(segment)) return false
    this.clean(segment)
    return true
  }

  /** Nobody is asked for more often by having been asked for long ago. */
  private get barNow(): number {
    if (this.bar === 0) return 0
    return Math.max(1, this.bar >> ((this.frequencies?.halvings ?? 0) - this.barAt))
  }

  private countFrequencies(): void {
    const { frequencies, log, memory } = this
    const { count } = log.index
    if (frequencies === undefined) {
      if (this.bytes < memory / 2) return
      this.frequencies = new Frequencies(2 * count)
      if (!this.free(0, Number.POSITIVE_INFINITY, 0)) this.frequencies = undefined
    } else if (count > frequencies.capacity && this.free(frequencies.bytes, Number.POSITIVE_INFINITY, 0)) {
      frequencies.grow()
    }
  }
}
