/** Slots to begin with; a power of two. */
const LEAST = 8
/** Two words each: the hash, and the address + 1; 0 there: the slot is free. */
const SLOT_WORDS = 2

/**
 * Where the entry of a hash is: open addressing, one slot behind the other until a free one comes, so a look costs
 * one line of the processor's cache, seldom two. Each hash is in it once.
 */
export class EntryIndex {
  /** Hashes that are in it. */
  count = 0
  private words = new Int32Array(LEAST * SLOT_WORDS)
  private mask = LEAST - 1

  /** Bytes that it takes. */
  get bytes(): number {
    return this.words.byteLength
  }

  /** Bytes by which it has to grow before one more fits: three quarters of the slots are taken. */
  get growth(): number {
    return 4 * (this.count + 1) > 3 * (this.mask + 1) ? this.bytes : 0
  }

  /** Address of this hash; -1: it is not there. */
  get(hash: number): number {
    const { words, mask } = this
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = words[SLOT_WORDS * slot + 1]
      if (found === 0 || words[SLOT_WORDS * slot] === hash) return found - 1
    }
  }

  /** A hash that is not there yet; `growth` is 0. */
  add(hash: number, address: number): void {
    put(this.words, this.mask, hash, address)
    this.count++
  }

  /** A hash that is there is elsewhere now. */
  move(hash: number, address: number): void {
    this.words[SLOT_WORDS * this.slotOf(hash) + 1] = address + 1
  }

  /**
   * A hash that is there. What stands behind it moves up, as far as it may: a mark in its place would be one more to
   * pass for everybody, for good.
   */
  delete(hash: number): void {
    const { words, mask } = this
    let free = this.slotOf(hash)
    for (let slot = (free + 1) & mask; words[SLOT_WORDS * slot + 1] !== 0; slot = (slot + 1) & mask) {
      // It is looked for from its first slot on, so it may not come to stand before that.
      const first = words[SLOT_WORDS * slot] & mask
      if (((slot - first) & mask) < ((slot - free) & mask)) continue
      words[SLOT_WORDS * free] = words[SLOT_WORDS * slot]
      words[SLOT_WORDS * free + 1] = words[SLOT_WORDS * slot + 1]
      free = slot
    }
    words[SLOT_WORDS * free + 1] = 0
    this.count--
  }

  /** Twice as many slots. */
  grow(): void {
    const { words } = this
    const slots = 2 * (this.mask + 1)
    this.mask = slots - 1
    this.words = new Int32Array(slots * SLOT_WORDS)
    for (let i = 0; i < words.length; i += SLOT_WORDS)
      if (words[i + 1] !== 0) put(this.words, this.mask, words[i], words[i + 1] - 1)
  }

  private slotOf(hash: number): number {
    const { words, mask } = this
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      if (words[SLOT_WORDS * slot + 1] === 0) throw new Error('a hash that is not in the index')
      if (words[SLOT_WORDS * slot] === hash) return slot
    }
  }
}

function put(words: Int32Array, mask: number, hash: number, address: number): void {
  let slot = hash & mask
  while (words[SLOT_WORDS * slot + 1] !== 0) slot = (slot + 1) & mask
  words[SLOT_WORDS * slot] = hash
  words[SLOT_WORDS * slot + 1] = address + 1
}
