/** Slots of 8 bytes at the start. */
const FIRST_SLOTS = 1024

/**
 * Which keys have been seen, by 64 bits of hash each instead of by the keys themselves: 11 to 21 bytes a key. Two
 * different keys of a million are taken for the same with a probability of 3e-8, so this is for counting, not for
 * deciding about data.
 */
export class KeySet {
  private high = new Uint32Array(FIRST_SLOTS)
  private low = new Uint32Array(FIRST_SLOTS)
  size = 0

  /** Bytes that it takes, about. */
  get bytes(): number {
    return 8 * this.high.length
  }

  /** False: it was in already. */
  add(key: Buffer): boolean {
    if (4 * this.size >= 3 * this.high.length) this.grow()
    // FNV-1a twice, from different offsets and with different primes; https://datatracker.ietf.org/doc/draft-eastlake-fnv/
    let h = 0x811c9dc5
    let l = 0x9747b28c
    for (let i = 0; i < key.length; i++) {
      h = Math.imul(h ^ key[i], 0x01000193)
      l = Math.imul(l ^ key[i], 0x5bd1e995)
      l ^= l >>> 15
    }
    // Zero marks a free slot.
    if (!this.put(h >>> 0 || 1, l >>> 0)) return false
    this.size++
    return true
  }

  private put(h: number, l: number): boolean {
    const mask = this.high.length - 1
    let at = (h ^ (h >>> 15) ^ l) & mask
    while (this.high[at] !== 0) {
      if (this.high[at] === h && this.low[at] === l) return false
      at = (at + 1) & mask
    }
    this.high[at] = h
    this.low[at] = l
    return true
  }

  private grow(): void {
    const { high, low } = this
    this.high = new Uint32Array(2 * high.length)
    this.low = new Uint32Array(2 * low.length)
    for (let i = 0; i < high.length; i++) if (high[i] !== 0) this.put(high[i], low[i])
  }
}
