import { IN_DOUBLE, MAX_INTEGER_DIGITS, MAX_NUMBER, MAX_TEXT, wholeElement } from './plain-element.ts'
import {
  ARRAY,
  ATTRIBUTE,
  BIG_NUMBER,
  BLOB_ERROR,
  BOOLEAN,
  BULK,
  DOUBLE,
  ERROR,
  INTEGER,
  MAP,
  PUSH,
  STRING,
  VERBATIM,
} from './type-bytes.ts'

/** The upstream sent something that is not RESP. Nothing that comes after it on the connection can be trusted. */
export class BadReply extends Error {
  override name = 'BadReply'
}

const CR = 0x0d
const LF = 0x0a
const ZERO = 0x30
const NINE = 0x39
const PLUS = 0x2b
const MINUS = 0x2d

/** Where in an element the scanner is. */
const AT_START = 0
const IN_TEXT = 1
const AFTER_TEXT = 2
const IN_LENGTH = 3
const AFTER_LENGTH = 4
const IN_PAYLOAD = 5

/** The phase that follows a type byte; AT_START for bytes that are none. */
const PHASE_OF = new Uint8Array(256)
for (const head of Buffer.from('+-:_#,(')) PHASE_OF[head] = IN_TEXT
for (const head of Buffer.from('$!=*~>%|')) PHASE_OF[head] = IN_LENGTH

/** Redis itself gives up where Lua's stack ends, at 7,995 levels of what a script returns, and EXEC adds one. */
const MAX_DEPTH = 10_000
/** Levels for which a scanner keeps the room; a connection has one of them. */
const KEPT_DEPTH = 128

/** Longest payload and largest count; doubles hold twice as much exactly. */
const MAX_LENGTH = 1e15

/**
 * Finds where replies end: RESP2 and RESP3, resumable at any byte, building nothing. A reply in many chunks is scanned
 * once, and payloads are not looked at. Attributes and pushes may stand anywhere, also inside aggregates, where they do
 * not count as elements (the reply to EXEC has a push inside when the transaction published to its own connection).
 */
export class ReplyScanner {
  /** Type byte of the last whole reply, behind its attributes. */
  type = 0
  /** The last whole reply had attributes in front of it. */
  attributes = false
  /** The last whole reply had pushes inside it. */
  pushes = false
  private readonly maxDepth: number
  private started = false
  private phase = AT_START
  /** Type byte of the element being read. */
  private head = 0
  /** Of a line: characters so far. Of a payload: bytes to come, CRLF included. */
  private count = 0
  /** Of a length: its value so far, -1 from the minus sign of a null on. Of other lines: digits so far. */
  private length = 0
  private depth = 0
  /** Of each open aggregate: elements to come, and its type. */
  private readonly counts: number[] = []
  private readonly types: number[] = []

  /** `maxDepth`: most aggregates inside each other. */
  constructor(maxDepth = MAX_DEPTH) {
    this.maxDepth = maxDepth
  }

  /** Not inside a reply. */
  get idle(): boolean {
    return !this.started
  }

  /** Forgets the reply at hand. */
  reset(): void {
    this.started = false
    this.phase = AT_START
    this.depth = 0
  }

  /**
   * The offset behind the reply that begins, or goes on, at buf[pos]. -1 when it goes on beyond `end`: all bytes up to
   * there are its own, and the next call goes on with the bytes that follow. Throws BadReply.
   */
  scan(buf: Buffer, pos: number, end: number): number {
    if (!this.started && pos < end) {
      // Nearly all replies are one short line or one bulk, and whole.
      const after = wholeElement(buf, pos, end)
      if (after >= 0) {
        this.type = buf[pos]
        this.attributes = false
        this.pushes = false
        return after
      }
    }
    return this.walk(buf, pos, end)
  }

  private walk(buf: Buffer, start: number, end: number): number {
    let pos = start
    while (pos < end) {
      let done = false
      switch (this.phase) {
        case AT_START:
          if (this.depth > 0) {
            pos = this.skipPlain(buf, pos, end)
            if (pos === end) return -1
            const after = wholeElement(buf, pos, end)
            if (after >= 0) {
              this.head = buf[pos]
              pos = after
              done = true
              break
            }
          }
          this.begin(buf[pos++])
          break
        case IN_TEXT:
          pos = this.readText(buf, pos, end)
          break
        case IN_LENGTH:
          pos = this.readLength(buf, pos, end)
          break
        case AFTER_TEXT:
        case AFTER_LENGTH:
          expect(buf[pos++], LF)
          done = this.phase === AFTER_TEXT || this.open()
          break
        default: {
          const payload = Math.min(this.count - 2, end - pos)
          if (payload > 0) {
            pos += payload
            this.count -= payload
          } else {
            expect(buf[pos++], this.count === 2 ? CR : LF)
            done = --this.count === 0
          }
        }
      }
      if (done) {
        this.phase = AT_START
        if (this.finish()) return pos
      }
    }
    return -1
  }

  /** Passes over plain elements of the innermost aggregate, except its last, and over nothing else. */
  private skipPlain(buf: Buffer, start: number, end: number): number {
    const top = this.depth - 1
    let left = this.counts[top]
    let pos = start
    while (left > 1 && pos < end) {
      const after = wholeElement(buf, pos, end)
      if (after < 0) break
      pos = after
      left--
    }
    this.counts[top] = left
    return pos
  }

  /** The first byte of an element. */
  private begin(head: number): void {
    if (!this.started) {
      this.started = true
      this.attributes = false
      this.pushes = false
    }
    if (this.depth === 0) {
      this.type = head
      if (head === ATTRIBUTE) this.attributes = true
    }
    this.head = head
    this.count = 0
    this.length = 0
    this.phase = PHASE_OF[head]
    if (this.phase === AT_START) throw new BadReply(`no reply begins with byte ${head}`)
  }

  private readText(buf: Buffer, start: number, end: number): number {
    const head = this.head
    const free = head === STRING || head === ERROR
    let pos = start
    for (; pos < end; pos++) {
      const byte = buf[pos]
      if (byte === CR) {
        if (!this.textComplete(this.count + pos - start)) throw bad(byte, head)
        this.phase = AFTER_TEXT
        pos++
        break
      }
      if (free ? byte === LF : !this.fits(byte, this.count + pos - start)) throw bad(byte, head)
    }
    this.count += pos - start
    if (this.count > (free ? MAX_TEXT : MAX_NUMBER) + (this.phase === AFTER_TEXT ? 1 : 0)) {
      throw new BadReply('line too long')
    }
    return pos
  }

  /** May `byte` be character `index` of a line that is not a simple string? Counts digits. */
  private fits(byte: number, index: number): boolean {
    switch (this.head) {
      case INTEGER:
      case BIG_NUMBER:
        if (byte < ZERO || byte > NINE) return index === 0 && (byte === MINUS || byte === PLUS)
        this.length++
        return this.head === BIG_NUMBER || this.length <= MAX_INTEGER_DIGITS
      case DOUBLE:
        return IN_DOUBLE[byte] === 1
      case BOOLEAN:
        return index === 0 && (byte === 0x74 || byte === 0x66)
      default:
        return false
    }
  }

  private textComplete(count: number): boolean {
    const { head } = this
    if (head === INTEGER || head === BIG_NUMBER) return this.length > 0
    return count > 0 || (head !== DOUBLE && head !== BOOLEAN)
  }

  private readLength(buf: Buffer, start: number, end: number): number {
    let { count, length } = this
    let pos = start
    while (pos < end) {
      const byte = buf[pos++]
      if (byte === CR) {
        if (count < (length < 0 ? 2 : 1)) throw bad(byte, this.head)
        this.phase = AFTER_LENGTH
        break
      }
      if (byte === MINUS && count === 0 && (this.head === BULK || this.head === ARRAY)) {
        length = -1
      } else if (length < 0) {
        if (byte !== 0x31 || count !== 1) throw bad(byte, this.head)
      } else {
        if (byte < ZERO || byte > NINE || (count > 0 && length === 0)) throw bad(byte, this.head)
        length = length * 10 + byte - ZERO
        if (length > MAX_LENGTH) throw new BadReply('length too large')
      }
      count++
    }
    this.count = count
    this.length = length
    return pos
  }

  /** A length has been read. Returns whether the element ends with it. */
  private open(): boolean {
    const { head, length } = this
    if (length < 0) return true
    if (head === BULK || head === BLOB_ERROR || head === VERBATIM) {
      if (head === VERBATIM && length < 4) throw new BadReply('verbatim string without a format')
      this.count = length + 2
      this.phase = IN_PAYLOAD
      return false
    }
    if (length === 0) return true
    if (this.depth === this.maxDepth) throw new BadReply(`more than ${this.maxDepth} levels deep`)
    this.counts[this.depth] = head === MAP || head === ATTRIBUTE ? 2 * length : length
    this.types[this.depth++] = head
    this.phase = AT_START
    return false
  }

  /** The element of type `head` is whole. Returns whether the reply is. */
  private finish(): boolean {
    let type = this.head
    while (this.depth > 0) {
      // An aggregate on the stack always waits for one element more, so that what does not count never ends it.
      if (type === PUSH) this.pushes = true
      if (type === PUSH || type === ATTRIBUTE) return false
      if (--this.counts[this.depth - 1] > 0) return false
      type = this.types[--this.depth]
    }
    if (type === ATTRIBUTE) return false
    this.started = false
    if (this.counts.length > KEPT_DEPTH) this.counts.length = this.types.length = KEPT_DEPTH
    return true
  }
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw new BadReply(`byte ${byte} where a line should end`)
}

function bad(byte: number, head: number): BadReply {
  return new BadReply(`byte ${byte} in a line that began with ${String.fromCharCode(head)}`)
}
