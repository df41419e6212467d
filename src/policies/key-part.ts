import { globMatches } from '../lib/glob.ts'

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const CARET = 0x5e
const DASH = 0x2d
const BACKSLASH = 0x5c

/** In KeyPart.wanted: several bytes fit. */
const SET = -1

/**
 * A pattern of key names, taken apart so that matching needs neither strings nor views. Everything but a star is an
 * item that takes one byte, so what is in front of the first star and behind the last has its place, and what is
 * between two stars is looked for from left to right. At most name.length * pattern.length steps.
 *
 * It matches what KEYS would find: as globMatches, and stars alone match the empty name, too. Else a client could
 * evade `keys: "*"` by it.
 */
export class KeyPart {
  /** Where the last part() found what the first star stands for. Without a star: nothing, at the end. */
  partStart = 0
  partEnd = 0
  /** By item: the byte that fits, or SET. */
  private readonly wanted: Int16Array
  /** By item where `wanted` is SET: by byte, whether it fits. */
  private readonly sets: (Uint8Array | undefined)[]
  /** In front of which items there are stars. */
  private readonly stars: number[]
  /** The byte that every name starts with; -1: there is no such one. */
  private readonly first: number

  constructor(pattern: Buffer) {
    const { items, stars } = itemsOf(pattern)
    this.sets = items.map(setOf)
    this.wanted = Int16Array.from(items, (item, i) => (this.sets[i] === undefined ? item[item.length - 1] : SET))
    this.stars = stars
    this.first = stars[0] === 0 ? -1 : (this.wanted[0] ?? -1)
  }

  /** As part(), for those who do not ask for it. `name` goes on behind `end`, as in a request. */
  matches(name: Buffer, start: number, end: number): boolean {
    const { first } = this
    return (first < 0 || name[start] === first) && this.part(name, start, end)
  }

  /**
   * Does it match? Then partStart and partEnd say what the first star (several in a row are one) stands for: the
   * shortest that lets the rest match.
   */
  part(name: Buffer, start: number, end: number): boolean {
    const { stars, wanted } = this
    const length = wanted.length
    if (end - start < length) return false
    if (stars.length === 0) {
      this.partStart = this.partEnd = end
      return end - start === length && this.fits(0, length, name, start)
    }
    const last = stars.length - 1
    const suffixAt = end - (length - stars[last])
    if (!this.fits(0, stars[0], name, start) || !this.fits(stars[last], length, name, suffixAt)) return false
    let at = start + stars[0]
    this.partStart = at
    this.partEnd = suffixAt
    // The leftmost place leaves most for what follows, so if the rest fits anywhere, it fits behind that.
    for (let i = 0; i < last; i++) {
      const found = this.search(stars[i], stars[i + 1], name, at, suffixAt)
      if (found === -1) return false
      if (i === 0) this.partEnd = found
      at = found + stars[i + 1] - stars[i]
    }
    return true
  }

  /** Where in name[at..end) the items from..to fit first; -1: nowhere. */
  private search(from: number, to: number, name: Buffer, at: number, end: number): number {
    for (const last = end - (to - from); at <= last; at++) if (this.fits(from, to, name, at)) return at
    return -1
  }

  private fits(from: number, to: number, name: Buffer, at: number): boolean {
    const { wanted } = this
    for (let i = from; i < to; i++, at++)
      if (wanted[i] !== name[at] && (wanted[i] !== SET || this.sets[i]?.[name[at]] !== 1)) return false
    return true
  }
}

/** The pattern of a rule, in its bytes as UTF-8. */
export function compileKeys(pattern: string): KeyPart {
  return new KeyPart(Buffer.from(pattern))
}

/** Has it a star that stands for something? One behind a backslash or in brackets does not. */
export function hasStar(pattern: string): boolean {
  return itemsOf(Buffer.from(pattern)).stars.length > 0
}

/** The pieces of the pattern that take one byte each, and in front of which of them there are stars. */
function itemsOf(pattern: Buffer): { items: Buffer[]; stars: number[] } {
  const items: Buffer[] = []
  const stars: number[] = []
  for (let p = 0; p < pattern.length; ) {
    if (pattern[p] === STAR) {
      if (stars.at(-1) !== items.length) stars.push(items.length)
      p++
      continue
    }
    const end = itemEnd(pattern, p)
    items.push(pattern.subarray(p, end))
    p = end
  }
  return { items, stars }
}

/** Behind the item at p. A class ends where it does for globMatches: not at a `]` that is escaped or ends a range. */
function itemEnd(pattern: Buffer, p: number): number {
  if (pattern[p] === BACKSLASH) return Math.min(p + 2, pattern.length)
  if (pattern[p] !== OPEN) return p + 1
  p++
  if (pattern[p] === CARET) p++
  for (; p < pattern.length && pattern[p] !== CLOSE; p++) {
    if (pattern[p] === BACKSLASH) p++
    else if (pattern[p + 1] === DASH) p += 2
  }
  return Math.min(p + 1, pattern.length)
}

/** Which bytes an item takes; undefined: only the last of its own. */
function setOf(item: Buffer): Uint8Array | undefined {
  if (item[0] !== QUESTION && item[0] !== OPEN) return undefined
  return Uint8Array.from({ length: 256 }, (_, byte) => (globMatches(item, Buffer.of(byte)) ? 1 : 0))
}
