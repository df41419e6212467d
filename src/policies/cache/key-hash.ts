import { randomFillSync } from 'node:crypto'

/** What a hash has made of the bytes so far: it can go on from here with any number of others. Never changed. */
export interface HashState {
  readonly a: number
  readonly b: number
  /** The last `length % 4` bytes, which are not mixed in yet. */
  readonly pending: number
  readonly length: number
}

/** Start values and odd factors, all secret: names come from clients, who must not be able to choose some that fall together. */
function secrets(): Int32Array {
  return randomFillSync(new Int32Array(5))
}

/**
 * Two independent hashes of 32 bits over the same bytes, which may come in pieces: a raw key is the same whether it is read in one
 * piece from the invalidation feed or goes on from the state of its tenant's prefix. One object is used over and over: the results
 * are its fields, so nothing is allocated.
 *
 * Each step takes four bytes, because it waits for the one before. A word is mixed before it meets the state: else a difference in
 * its highest bit would stay one of known bits, which the next word could undo whatever the secrets are.
 */
export class KeyHash {
  /** The results of `end()`. Signed. */
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
    this.a = this.startA
    this.b = this.startB
    this.pending = 0
    this.length = 0
    this.add(prefix, 0, prefix.length)
    return { a: this.a, b: this.b, pending: this.pending, length: this.length }
  }

  /** The hash `a` of prefix + buf[start..end), where `from` is the state of the prefix; `b` is that of the same bytes. */
  of(from: HashState, buf: Buffer, start: number, end: number): number {
    this.a = from.a
    this.b = from.b
    this.pending = from.pending
    this.length = from.length
    this.add(buf, start, end)
    this.end()
    return this.a
  }

  /** Goes on behind `of` with more words: what comes now does not run into what was before. */
  more(word: number): void {
    this.step(word)
  }

  /** Goes on with bytes, their number included. */
  moreBytes(buf: Buffer, start: number, end: number): void {
    this.pending = 0
    this.length = 0
    this.add(buf, start, end)
    this.step(this.pending)
    this.step(this.length)
  }

  /** Mixes until every bit depends on every other one. */
  finish(): void {
    this.a = avalanche(this.a)
    this.b = avalanche(this.b)
  }

  private end(): void {
    this.step(this.pending)
    this.step(this.length)
    this.finish()
  }

  private add(buf: Buffer, start: number, end: number): void {
    const { factor, factorA, factorB } = this
    let { a, b, pending } = this
    // How far the pending bytes reach into the word. A shift by 32 would be one by 0, so it is done in two steps.
    const shift = (this.length & 3) << 3
    let at = start
    for (const last = end - 3; at < last; at += 4) {
      const four = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)
      let word = Math.imul(pending | (four << shift), factor)
      word ^= word >>> 15
      a = Math.imul(a ^ word, factorA)
      a ^= a >>> 15
      b = Math.imul((b + word) | 0, factorB)
      b ^= b >>> 13
      pending = (four >>> 8) >>> (24 - shift)
    }
    this.a = a
    this.b = b
    let filled = shift
    for (; at < end; at++) {
      pending |= buf[at] << filled
      filled += 8
      if (filled === 32) {
        this.step(pending)
        pending = 0
        filled = 0
      }
    }
    this.pending = pending
    this.length += end - start
  }

  private step(four: number): void {
    let word = Math.imul(four, this.factor)
    word ^= word >>> 15
    this.a = Math.imul(this.a ^ word, this.factorA)
    this.a ^= this.a >>> 15
    this.b = Math.imul((this.b + word) | 0, this.factorB)
    this.b ^= this.b >>> 13
  }
}

/** The end of MurmurHash3: a change of one bit changes each of the others in half of all cases. https://github.com/aappleby/smhasher */
function avalanche(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
