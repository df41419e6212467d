/*
 * A lexer for Lua 5.1, which is what the servers run: enough to tell names from strings and comments.
 * https://www.lua.org/manual/5.1/manual.html#2.1
 */

/** Kinds of tokens. Keywords are names. TEXT is a quoted string without escapes, STRING any other. */
export const TOKEN = { NAME: 1, TEXT: 2, STRING: 3, NUMBER: 4, SYMBOL: 5 } as const

/** The tokens of one text: token i is of kind[i] and stands at text[start[i]..end[i]). */
export class LuaTokens {
  readonly text: Buffer
  readonly kind: number[] = []
  readonly start: number[] = []
  readonly end: number[] = []
  /** False: the text ends within a string or a comment, or holds what no token begins with. Lua does not compile it. */
  readonly whole: boolean

  /** Takes time in proportion to the text. */
  constructor(text: Buffer) {
    this.text = text
    this.whole = this.read()
  }

  get count(): number {
    return this.kind.length
  }

  /** The text of token i, one character per byte; '' behind the last and before the first. For TEXT without the quotes. */
  word(i: number): string {
    if (i < 0 || i >= this.count) return ''
    const quotes = this.kind[i] === TOKEN.TEXT ? 1 : 0
    return this.text.toString('latin1', this.start[i] + quotes, this.end[i] - quotes)
  }

  /** Is token i this symbol or name? */
  is(i: number, word: string): boolean {
    if (i < 0 || i >= this.count || this.end[i] - this.start[i] !== word.length) return false
    const kind = this.kind[i]
    if (kind !== TOKEN.SYMBOL && kind !== TOKEN.NAME) return false
    // No string is made for a comparison: there are many for each token, and a text may have half a million tokens.
    const start = this.start[i]
    for (let at = 0; at < word.length; at++) if (this.text[start + at] !== word.charCodeAt(at)) return false
    return true
  }

  private read(): boolean {
    const { text } = this
    let at = 0
    while (at < text.length) {
      const byte = text[at]
      if (isBlank(byte)) at++
      else if (byte === DASH && text[at + 1] === DASH) {
        at = endOfComment(text, at + 2)
        if (at < 0) return false
      } else {
        const end = this.token(at)
        if (end < 0) return false
        this.start.push(at)
        this.end.push(end)
        at = end
      }
    }
    return true
  }

  /** Pushes the kind of the token at `at`; where it ends, or -1. */
  private token(at: number): number {
    const { text, kind } = this
    const byte = text[at]
    if (isLetter(byte)) {
      kind.push(TOKEN.NAME)
      return endOfName(text, at)
    }
    if (isDigit(byte) || (byte === DOT && isDigit(text[at + 1]))) {
      kind.push(TOKEN.NUMBER)
      return endOfNumber(text, at)
    }
    if (byte === QUOTE || byte === APOSTROPHE) {
      const end = endOfQuoted(text, at)
      const inside = text.subarray(at + 1, end - 1)
      kind.push(inside.includes(BACKSLASH) ? TOKEN.STRING : TOKEN.TEXT)
      return end
    }
    if (byte === OPEN) {
      const level = levelOf(text, at)
      if (level >= 0) {
        kind.push(TOKEN.STRING)
        return endOfLong(text, at, level)
      }
      // `[=` that is no long bracket is an error to Lua.
      if (text[at + 1] === EQUALS) return -1
    }
    kind.push(TOKEN.SYMBOL)
    return endOfSymbol(text, at)
  }
}

/** From behind the dashes. */
function endOfComment(text: Buffer, at: number): number {
  const level = text[at] === OPEN ? levelOf(text, at) : -1
  if (level >= 0) return endOfLong(text, at, level)
  while (at < text.length && text[at] !== LF && text[at] !== CR) at++
  return at
}

/** Of the long bracket that opens at `at`: how many `=` it has; -1: it is none. */
function levelOf(text: Buffer, at: number): number {
  let end = at + 1
  while (text[end] === EQUALS) end++
  return text[end] === OPEN ? end - at - 1 : -1
}

function endOfLong(text: Buffer, at: number, level: number): number {
  for (let from = at + level + 2; ; from++) {
    from = text.indexOf(CLOSE, from)
    if (from < 0) return -1
    let equals = 0
    while (equals < level && text[from + 1 + equals] === EQUALS) equals++
    if (equals === level && text[from + 1 + level] === CLOSE) return from + level + 2
  }
}

function endOfQuoted(text: Buffer, at: number): number {
  const quote = text[at]
  for (let i = at + 1; i < text.length; i++) {
    const byte = text[i]
    if (byte === quote) return i + 1
    if (byte === LF || byte === CR) return -1
    // Whatever stands behind a backslash is no end: a quote, a line end (of two bytes, maybe), a digit.
    if (byte === BACKSLASH && isLineEnd(text[++i]) && isLineEnd(text[i + 1]) && text[i] !== text[i + 1]) i++
  }
  return -1
}

function endOfName(text: Buffer, at: number): number {
  while (isLetter(text[at]) || isDigit(text[at])) at++
  return at
}

/** As Lua reads one: digits and dots, an exponent with its sign, then letters, digits and `_`, whether or not that is a number. */
function endOfNumber(text: Buffer, at: number): number {
  while (isDigit(text[at]) || text[at] === DOT) at++
  if ((text[at] | 0x20) === LETTER_E) {
    at++
    if (text[at] === PLUS || text[at] === DASH) at++
  }
  return endOfName(text, at)
}

/** Only those of two and three characters are told apart from their parts that matter to a reader: `==` is no assignment. */
function endOfSymbol(text: Buffer, at: number): number {
  const byte = text[at]
  const next = text[at + 1]
  if (byte === DOT && next === DOT) return text[at + 2] === DOT ? at + 3 : at + 2
  const comparison = byte === EQUALS || byte === TILDE || byte === LESS || byte === MORE
  return comparison && next === EQUALS ? at + 2 : at + 1
}

function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR)
}

function isLineEnd(byte: number): boolean {
  return byte === LF || byte === CR
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isLetter(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === UNDERSCORE
}

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const APOSTROPHE = 0x27
const PLUS = 0x2b
const DASH = 0x2d
const DOT = 0x2e
const LESS = 0x3c
const EQUALS = 0x3d
const MORE = 0x3e
const OPEN = 0x5b
const BACKSLASH = 0x5c
const CLOSE = 0x5d
const UNDERSCORE = 0x5f
const LETTER_E = 0x65
const TILDE = 0x7e
