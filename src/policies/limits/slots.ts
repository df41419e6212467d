import { randomFillSync } from 'node:crypto'
import { SHARED } from './buckets.ts'

const FIRST_CAPACITY = 64
/** How many slots a new name may look at for one that nobody needs any more. */
const LOOK = 64
/** Marks a free slot among the counts of holders. */
const FREE = -1
/** Of a slot in the table: the one behind it in its chain or in the list of free ones, its hash, and who holds it. */
const WORDS = 4
const HASH_A = 1
const HASH_B = 2
const HOLDS = 3

/** Is the state in this slot as good as new? Asked only of slots that have a name and no holder. */
export type IsIdle = (slot: number) => boolean

/**
 * A name has got this slot, whose state is to be as new. Slots below `capacity` can come; the owner's arrays should
 * be that long. The bytes of the name are there for the length of the call.
 */
export type OnTaken = (slot: number, capacity: number, name: Buffer, start: number, end: number) => void

/**
 * Names to small dense numbers, slots, for the index of the owner's arrays. A slot stays the same as long as its name
 * keeps it; SHARED is never given to a name. At most `most` names, and about 20 bytes of memory for each.
 *
 * Names are not kept, only 64 bits of hash of each: two of a million are taken for one with a probability of 3e-8, and
 * would then share a slot. Start values and factors of the hash are secret, since names come from clients, who must not
 * be able to choose some that fall together.
 */
export class Slots {
  private readonly most: number
  private readonly isIdle: IsIdle
  private readonly onTaken: OnTaken
  private readonly startA: number
  private readonly startB: number
  private readonly factorA: number
  private readonly factorB: number

  /** First slot of each chain; 0 (SHARED is in none): it is empty. Its length is a power of two. */
  private heads = new Int32Array(FIRST_CAPACITY)
  /** Four numbers for each slot, side by side: with many names, each look at memory that is not in a cache costs. */
  private table = new Int32Array(0)
  private firstFree = 0
  /** No slot from here on was ever used. */
  private fresh = SHARED + 1
  /** The slot that was looked at last. */
  private hand = SHARED
  private used = 0
  private refused = 0

  constructor(most: number, isIdle: IsIdle, onTaken: OnTaken, secret = randomFillSync(new Int32Array(4))) {
    this.most = most
    this.isIdle = isIdle
    this.onTaken = onTaken
    this.startA = secret[0]
    this.startB = secret[1]
    // 5 modulo 8, so that no factor leaves the low bits as they were.
    this.factorA = (secret[2] & ~7) | 5
    this.factorB = (secret[3] & ~7) | 5
    this.resize(Math.min(FIRST_CAPACITY, most + 1))
  }

  /** Names that have a slot. */
  get count(): number {
    return this.used
  }

  /** How often a name found no room. */
  get overflows(): number {
    return this.refused
  }

  /** All slots there have been so far are below it. */
  get capacity(): number {
    return this.table.length / WORDS
  }

  /** The slot of a name, if need be a new one; SHARED where there is none for it. */
  find(name: Buffer, start: number, end: number): number {
    // FNV-1a twice, four bytes a step, because each step waits for the one before. The length comes last: in front, a
    // chosen first byte could make up for it. https://datatracker.ietf.org/doc/draft-eastlake-fnv/
    const { factorA, factorB } = this
    let a = this.startA
    let b = this.startB
    let at = start
    for (const last = end - 3; at < last; at += 4) {
      const four = name[at] | (name[at + 1] << 8) | (name[at + 2] << 16) | (name[at + 3] << 24)
      a = Math.imul(a ^ four, factorA)
      a ^= a >>> 15
      b = Math.imul(b ^ four, factorB)
      b ^= b >>> 13
    }
    let rest = 0
    for (; at < end; at++) rest = (rest << 8) | name[at]
    a = Math.imul(a ^ rest, factorA)
    a ^= a >>> 15
    b = Math.imul(b ^ rest, factorB)
    b ^= b >>> 13
    a = Math.imul(a ^ (end - start), factorA)
    b = Math.imul(b ^ (end - start), factorB)
    b ^= b >>> 15

    const { table } = this
    for (let slot = this.heads[this.chain(a, b)]; slot !== 0; slot = table[slot * WORDS])
      if (table[slot * WORDS + HASH_A] === a && table[slot * WORDS + HASH_B] === b) return slot
    return this.take(a, b, name, start, end)
  }

  /** The slot keeps its name until release() has been called as often. */
  hold(slot: number): void {
    if (slot !== SHARED) this.table[slot * WORDS + HOLDS]++
  }

  release(slot: number): void {
    if (slot !== SHARED && this.table[slot * WORDS + HOLDS] > 0) this.table[slot * WORDS + HOLDS]--
  }

  /** Takes the names from idle slots that nobody holds, looking at `most` slots from where it last stopped. */
  sweep(isIdle: IsIdle, most: number): void {
    this.reclaim(isIdle, most, most)
  }

  private take(a: number, b: number, name: Buffer, start: number, end: number): number {
    const slot = this.vacant()
    if (slot === SHARED) {
      this.refused++
      return SHARED
    }
    this.table[slot * WORDS + HASH_A] = a
    this.table[slot * WORDS + HASH_B] = b
    this.table[slot * WORDS + HOLDS] = 0
    this.link(slot)
    this.used++
    this.onTaken(slot, this.capacity, name, start, end)
    return slot
  }

  private vacant(): number {
    if (this.firstFree === 0 && this.fresh > this.most && !this.reclaim(this.isIdle, LOOK, 1)) return SHARED
    const slot = this.firstFree
    if (slot === 0) {
      if (this.fresh === this.capacity) this.resize(Math.min(2 * this.capacity, this.most + 1))
      return this.fresh++
    }
    this.firstFree = this.table[slot * WORDS]
    return slot
  }

  /** Looks at up to `most` slots and frees up to `enough`; true: at least one. */
  private reclaim(isIdle: IsIdle, most: number, enough: number): boolean {
    let freed = 0
    for (let left = Math.min(most, this.fresh - 1); left > 0 && freed < enough; left--) {
      this.hand = this.hand + 1 < this.fresh ? this.hand + 1 : SHARED + 1
      if (this.table[this.hand * WORDS + HOLDS] !== 0 || !isIdle(this.hand)) continue
      this.free(this.hand)
      freed++
    }
    return freed > 0
  }

  private free(slot: number): void {
    const chain = this.chain(this.table[slot * WORDS + HASH_A], this.table[slot * WORDS + HASH_B])
    if (this.heads[chain] === slot) this.heads[chain] = this.table[slot * WORDS]
    else {
      let before = this.heads[chain]
      while (this.table[before * WORDS] !== slot) before = this.table[before * WORDS]
      this.table[before * WORDS] = this.table[slot * WORDS]
    }
    this.table[slot * WORDS + HOLDS] = FREE
    this.table[slot * WORDS] = this.firstFree
    this.firstFree = slot
    this.used--
  }

  /** The low bits of `a` say little: those of a product know nothing of the higher ones of its factors. */
  private chain(a: number, b: number): number {
    return (b ^ (a >>> 16)) & (this.heads.length - 1)
  }

  private link(slot: number): void {
    const chain = this.chain(this.table[slot * WORDS + HASH_A], this.table[slot * WORDS + HASH_B])
    this.table[slot * WORDS] = this.heads[chain]
    this.heads[chain] = slot
  }

  /** Only when every slot is in use, so there is no list of free ones to keep. */
  private resize(capacity: number): void {
    const larger = new Int32Array(capacity * WORDS)
    larger.set(this.table)
    this.table = larger
    if (this.heads.length < capacity) this.heads = new Int32Array(2 * this.heads.length)
    else this.heads.fill(0)
    for (let slot = SHARED + 1; slot < this.fresh; slot++) this.link(slot)
  }
}
