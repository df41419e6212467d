/** Slots of the process: 4 MiB. A write outdates one key in so many that it does not name. */
const SLOTS = 1 << 20

/**
 * How often what is behind a raw key may have changed: one number for all keys whose hashes end alike, so there is
 * nothing to add for a new key and nothing to forget for an old one. What was read while a key had one generation says
 * nothing about another.
 *
 * Generations are compared for being equal, never for being greater, so they may wrap around. To be taken for another
 * one, a generation would have to be asked for after exactly 2^32 raises, and never in between.
 */
export class Generations {
  /** Signed, so that each is a small integer in the objects that remember it. */
  private readonly counts: Int32Array
  private readonly mask: number

  /** `slots`: a power of two. */
  constructor(slots: number = SLOTS) {
    this.counts = new Int32Array(slots)
    this.mask = slots - 1
  }

  /** `hash`: of a raw key, by KeyHash. */
  slotOf(hash: number): number {
    return hash & this.mask
  }

  at(slot: number): number {
    return this.counts[slot]
  }

  raise(slot: number): void {
    this.counts[slot]++
  }
}
