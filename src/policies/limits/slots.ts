import { randomFillSync } from 'node:crypto'
import { SHARED } from './buckets.ts'

const FIRST_CAPACITY = 64
/** How many slots a new name may look at for one that nobody needs any more. */
const LOOK = 64
/** Marks a free slot among the counts of holders. */
const FREE = -1

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
  /** The slot behind this one in its chain, or in the list of free ones. */
  private next = new Int32Array(0)
  private hashA = new Int32Array(0)
  private hashB = new Int32Array(0)
  private holds = new Int32Array(0)
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
    return this.next.length
  }

  /** The slot of a name, if need be a new one; SHARED where there is none for it. */
  find(name: Buffer, start: number, end: number): number {
    // FNV-1a twice, two bytes a step, because each step waits for the one before. The length comes last: in front, a
    // chosen first byte could make up for it. https://datatracker.ietf.org/doc/draft-eastlake-fnv/
    const { factorA, factorB } = this
    let a = this.startA
    let b = this.startB
    let at = start
    for (const even = end - 1; at < even; at += 2) {
      const two = name[at] | (name[at + 1] << 8)
      a = Math.imul(a ^ two, factorA)
      b = Math.imul(b ^ two, factorB)
      b ^= b >>> 15
    }
    if (at < end) {
      a = Math.imul(a ^ name[at], factorA)
      b = Math.imul(b ^ name[at], factorB)
      b ^= b >>> 15
    }
    a = Math.imul(a ^ (end - start), factorA)
    b = Math.imul(b ^ (end - start), factorB)
    b ^= b >>> 15

    const { hashA, hashB, next } = this
    for (let slot = this.heads[this.chain(a, b)]; slot !== 0; slot = next[slot])
      if (hashA[slot] === a && hashB[slot] === b) return slot
    return this.take(a, b, name, start, end)
  }

  /** The slot keeps its name until release() has been called as often. */
  hold(slot: number): void {
    if (slot !== SHARED) this.holds[slot]++
  }

  release(slot: number): void {
    if (slot !== SHARED && this.holds[slot] > 0) this.holds[slot]--
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
    this.hashA[slot] = a
    this.hashB[slot] = b
    this.holds[slot] = 0
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
    this.firstFree = this.next[slot]
    return slot
  }

  /** Looks at up to `most` slots and frees up to `enough`; true: at least one. */
  private reclaim(isIdle: IsIdle, most: number, enough: number): boolean {
    let freed = 0
    for (let left = Math.min(most, this.fresh - 1); left > 0 && freed < enough; left--) {
      this.hand = this.hand + 1 < this.fresh ? this.hand + 1 : SHARED + 1
      if (this.holds[this.hand] !== 0 || !isIdle(this.hand)) continue
      this.free(this.hand)
      freed++
    }
    return freed > 0
  }

  private free(slot: number): void {
    const chain = this.chain(this.hashA[slot], this.hashB[slot])
    if (this.heads[chain] === slot) this.heads[chain] = this.next[slot]
    else {
      let before = this.heads[chain]
      while (this.next[before] !== slot) before = this.next[before]
      this.next[before] = this.next[slot]
    }
    this.holds[slot] = FREE
    this.next[slot] = this.firstFree
    this.firstFree = slot
    this.used--
  }

  /** The low bits of `a` say little: those of a product know nothing of the higher ones of its factors. */
  private chain(a: number, b: number): number {
    return (b ^ (a >>> 16)) & (this.heads.length - 1)
  }

  private link(slot: number): void {
    const chain = this.chain(this.hashA[slot], this.hashB[slot])
    this.next[slot] = this.heads[chain]
    this.heads[chain] = slot
  }

  /** Only when every slot is in use, so there is no list of free ones to keep. */
  private resize(capacity: number): void {
    this.next = new Int32Array(capacity)
    this.hashA = enlarged(this.hashA, capacity)
    this.hashB = enlarged(this.hashB, capacity)
    this.holds = enlarged(this.holds, capacity)
    if (this.heads.length < capacity) this.heads = new Int32Array(2 * this.heads.length)
    else this.heads.fill(0)
    for (let slot = SHARED + 1; slot < this.fresh; slot++) this.link(slot)
  }
}

function enlarged(old: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(length)
  array.set(old)
  return array
}
