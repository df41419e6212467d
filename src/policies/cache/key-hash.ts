import { randomFillSync } from 'node:crypto'

/** What a hash has made of the bytes so far: it can go on from here with any number of others. Never changed. */
export interface HashState {
  readonly a: number
  readonly b: number
  /** The last `length % 4` bytes, which are not mixed in yet. */
  readonly pending: number
  readonly length: number
}

/**
 * Start values and odd factors, all secret: names come from clients, who must not be able to choose some that fall
 * together.
 */
function secrets(): Int32Array {
  return randomFillSync(new Int32Array(5))
}

/**
 * Two independent hashes of 32 bits over the same bytes, which may come in pieces: a raw key is the same whether it is
 * read in one piece from the invalidation feed or goes on from the state of its tenant's prefix. One object is used
 * over and over: the results are its fields, so nothing is allocated.
 *
 * Each step takes four bytes, because it waits for the one before. A word is mixed before it meets the state: else a
 * difference in its highest bit would stay one of known bits, which the next word could undo whatever the secrets are.
 */
export class KeyHash {
  /** The results. Signed. */
  a = 0
  b = 0
  private pending = 0
  private length = 0
  private readonly startA: number
  private readonly startB: number
  private readonly factor: number
  private readonly factorA: number
  private readonly factorB: number

  constructor(secret: Int32Array = secrets()) {
    this.startA = secret[0]
    this.startB = secret[1]
    // 5 modulo 8, so that no factor leaves the low bits as they were.
    this.factor = (secret[2] & ~7) | 5
    this.factorA = (secret[3] & ~7) | 5
    this.factorB = (secret[4] & ~7) | 5
  }

  /** The state behind a prefix, to be kept. */
  stateOf(prefix: Buffer): HashState {
    this.begin(this.startA, this.startB, 0, 0)
    this.add(prefix, 0, prefix.length)
    return { a: this.a, b: this.b, pending: this.pending, length: this.length }
  }

  /**
   * The hash `a` of prefix + buf[start..end), where `from` is the state of the prefix; `b` is that of the same bytes.
   */
  of(from: HashState, buf: Buffer, start: number, end: number): number {
    this.begin(from.a, from.b, from.pending, from.length)
    this.add(buf, start, end)
    this.end()
    return this.a
  }

  /** Goes on behind `of`: other numbers give another hash `a`. */
  more(number: number): void {
    this.a = (this.a + Math.imul(number, NUMBER_FACTOR)) | 0
  }

  /** Goes on behind all that with bytes, and how many they are. */
  moreBytes(buf: Buffer, start: number, end: number): void {
    this.begin(this.a, this.b, 0, 0)
    this.add(buf, start, end)
    this.end()
  }

  private begin(a: number, b: number, pending: number, length: number): void {
    this.a = a
    this.b = b
    this.pending = pending
    this.length = length
  }

  private add(buf: Buffer, start: number, end: number): void {
    const { factor, factorA, factorB } = this
    let { a, b, pending } = this
    // How far the pending bytes reach into the word.
    const shift = (this.length & 3) << 3
    for (let at = start; ; at += 4) {
      let four = 0
      let bits = 32
      if (at + 3 < end) four = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)
      else {
        bits = 0
        for (let i = at; i < end; i++, bits += 8) four |= buf[i] << bits
      }
      pending |= four << shift
      if (shift + bits < 32) break
      let word = Math.imul(pending, factor)
      word ^= word >>> 15
      a = Math.imul(a ^ word, factorA)
      a ^= a >>> 15
      b = Math.imul((b + word) | 0, factorB)
      b ^= b >>> 13
      // What they push out of the word comes next. A shift by 32 would be one by 0, so it is done in two steps.
      pending = (four >>> 8) >>> (24 - shift)
      if (bits < 32) break
    }
    this.a = a
    this.b = b
    this.pending = pending
    this.length += end - start
  }

  /** As a last step in add(). The length comes behind all: in front, a chosen first byte could make up for it. */
  private end(): void {
    let word = Math.imul(this.pending, this.factor)
    word ^= word >>> 15
    const a = Math.imul(this.a ^ word, this.factorA)
    this.a = avalanche(a ^ (a >>> 15) ^ this.length)
    const b = Math.imul((this.b + word) | 0, this.factorB)
    this.b = avalanche(b ^ (b >>> 13) ^ this.length)
  }
}

/** Spreads small numbers: 2^32 over the golden ratio. */
const NUMBER_FACTOR = 0x9e3779b1

/**
 * The end of MurmurHash3: a change of one bit changes each of the others in half of all cases.
 * https://github.com/aappleby/smhasher
 */
function avalanche(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
