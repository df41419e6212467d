/** Counters of four bits, eight in a word; an item has one in each of ROWS parts of its block. */
const ROWS = 4
/** Of 64 bytes, a line of the processor's cache: all counters of an item are in it. */
const BLOCK_WORDS = 16
const ROW_WORDS = BLOCK_WORDS / ROWS
/** Items for which a block has room: with more, they would be taken for each other. */
const BLOCK_ITEMS = 4
/** The highest count. */
export const MOST = 15
/** Notes for each item there is room for, until all counts are halved. */
const AGE = 10
/** Without the highest bit of each counter. */
const HALVES = 0x77777777

/**
 * How often something was asked for lately, about, whether it is kept or not: TinyLFU (Einziger, Friedman, Manes,
 * "TinyLFU: A highly efficient cache admission policy", ACM Transactions on Storage 13, 2017). A count-min sketch, so
 * what it tells is never too low but by the halving, which lets it forget: after ten times as many notes as there are
 * items, every count is halved.
 */
export class Frequencies {
  private words: Int32Array
  private blockMask: number
  private sample: number
  private notes = 0
  /** How often all counts were halved. */
  halvings = 0

  /** `items`: how many there are about, of which counts matter. It takes 16 to 32 bytes for each. */
  constructor(items: number) {
    let blocks = 1
    while (blocks * BLOCK_ITEMS < items) blocks *= 2
    this.words = new Int32Array(blocks * BLOCK_WORDS)
    this.blockMask = blocks - 1
    this.sample = AGE * Math.max(items, 4)
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.words.byteLength
  }

  /** Items there may be. */
  get capacity(): number {
    return BLOCK_ITEMS * (this.blockMask + 1)
  }

  /** Twice as many items. What was counted still counts: a block stands for what the two were that it has become. */
  grow(): void {
    const { words } = this
    this.words = new Int32Array(2 * words.length)
    this.words.set(words)
    this.words.set(words, words.length)
    this.blockMask = 2 * this.blockMask + 1
    this.sample = AGE * this.capacity
  }

  /**
   * It was asked for. `hash` chooses the block, `check` the counters in it: two independent hashes of it, of 32 bits.
   * Only the lowest of its counters are raised: the others count somebody else, too, and would but make those seem more
   * frequent.
   */
  note(hash: number, check: number): void {
    const least = this.of(hash, check)
    if (least === MOST) return
    const { words } = this
    const block = (hash & this.blockMask) * BLOCK_WORDS
    let bits = check
    for (let row = 0; row < ROWS; row++) {
      const at = block + row * ROW_WORDS + (bits & 3)
      const shift = bits & 0x1c
      if (((words[at] >>> shift) & MOST) === least) words[at] = (words[at] + (1 << shift)) | 0
      bits >>>= 5
    }
    this.notes++
    if (this.notes >= this.sample) this.halve()
  }

  /** 0 to 15. */
  of(hash: number, check: number): number {
    const { words } = this
    const block = (hash & this.blockMask) * BLOCK_WORDS
    let bits = check
    let least = MOST
    for (let row = 0; row < ROWS; row++) {
      // Five bits of each: two for the word, three for the counter in it.
      const count = (words[block + row * ROW_WORDS + (bits & 3)] >>> (bits & 0x1c)) & MOST
      if (count < least) least = count
      bits >>>= 5
    }
    return least
  }

  private halve(): void {
    const { words } = this
    for (let i = 0; i < words.length; i++) words[i] = (words[i] >>> 1) & HALVES
    this.notes >>>= 1
    this.halvings++
  }
}
