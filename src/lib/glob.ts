const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const CARET = 0x5e
const DASH = 0x2d
const BACKSLASH = 0x5c

/**
 * Does the text match a pattern of Redis (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET …)? Byte by byte, with all the
 * oddities of the original: `[a-]` is a range that ends in `]`, `[ab` needs no end, a backslash in brackets makes
 * even `ignoreCase` look at the case, and an empty text matches the empty pattern only (`KEYS *` is a case of its
 * own there). https://redis.io/docs/latest/commands/keys/
 *
 * Everything but a star takes exactly one byte of the text, so a mismatch only ever has to go back to the last star.
 * That needs no recursion, and at most text.length * pattern.length steps however the stars are placed.
 */
export function globMatches(pattern: Buffer, text: Buffer, ignoreCase = false): boolean {
  if (text.length === 0) return pattern.length === 0
  let p = 0
  let t = 0
  /** Behind the last star, and where in the text to try the rest of the pattern next. */
  let resume = -1
  let retry = 0
  while (t < text.length) {
    if (pattern[p] === STAR) {
      while (pattern[p] === STAR) p++
      if (p === pattern.length) return true
      resume = p
      retry = t
      continue
    }
    const next = p < pattern.length ? takeOne(pattern, p, text[t], ignoreCase) : -1
    if (next !== -1) {
      p = next
      t++
      continue
    }
    if (resume === -1) return false
    p = resume
    t = ++retry
  }
  while (pattern[p] === STAR) p++
  return p === pattern.length
}

/** The index behind the pattern's item at p, if that item matches the byte; -1 if it does not. */
function takeOne(pattern: Buffer, p: number, byte: number, ignoreCase: boolean): number {
  if (pattern[p] === QUESTION) return p + 1
  if (pattern[p] === OPEN) return takeClass(pattern, p + 1, byte, ignoreCase)
  if (pattern[p] === BACKSLASH && p + 1 < pattern.length) p++
  return fold(pattern[p], ignoreCase) === fold(byte, ignoreCase) ? p + 1 : -1
}

function takeClass(pattern: Buffer, p: number, byte: number, ignoreCase: boolean): number {
  const wanted = fold(byte, ignoreCase)
  const negated = pattern[p] === CARET
  let found = false
  if (negated) p++
  for (; p < pattern.length && pattern[p] !== CLOSE; p++) {
    if (pattern[p] === BACKSLASH && p + 1 < pattern.length) {
      p++
      if (pattern[p] === byte) found = true
    } else if (pattern[p + 1] === DASH && p + 2 < pattern.length) {
      // The ends are put in order before their case is dropped, so [Z-a] holds no letter when case is ignored.
      const one = signed(pattern[p])
      const other = signed(pattern[p + 2])
      const from = fold(Math.min(one, other), ignoreCase)
      const to = fold(Math.max(one, other), ignoreCase)
      if (from <= signed(wanted) && signed(wanted) <= to) found = true
      p += 2
    } else if (fold(pattern[p], ignoreCase) === wanted) found = true
  }
  if (found === negated) return -1
  return p < pattern.length ? p + 1 : p
}

/** In ranges bytes count as C's char, which has a sign on x86: beyond 127 they come before all others. */
function signed(byte: number): number {
  return (byte << 24) >> 24
}

function fold(byte: number, ignoreCase: boolean): number {
  return ignoreCase && byte >= 65 && byte <= 90 ? byte + 32 : byte
}

/** A pattern that matches this text only. `]`, `^` and `-` mean something only behind a `[`. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\\]/g, '\\$&')
}
