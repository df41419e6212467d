/**
 * The multibulk grammar of requests, as Redis 7.0 reads it: the header lines, the limits, and what is known so far of
 * a request that a chunk boundary has split.
 *
 * Redis takes any byte for the LF of a header line, and any two for the CRLF behind a bulk. So do we, but we put CR and
 * LF in their place: a frame goes upstream as it is, on a connection that others share, and whatever reads it there
 * may be stricter than Redis.
 */

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24

/** Longest line without its end, PROTO_INLINE_MAX_SIZE. */
export const MAX_LINE = 64 * 1024
const MAX_COUNT = 2 ** 31 - 1
/** What a client may send before login. */
const UNAUTHENTICATED_COUNT = 10
const UNAUTHENTICATED_BULK = 16384

/** Results of the readers below that are not positions. */
export const INCOMPLETE = -1
export const FAULT = -2

/** What is known of one request so far. */
export class Frame {
  argc = 0
  /** Arguments still to come; 0 while the first line is being read. */
  left = 0
  /** Length of the bulk whose payload is being read, -1 while its line is. */
  bulk = -1
  /** Where that payload or line begins; after a FAULT, where the bytes that showed it end. */
  at = 0
  /** Begin and end of each argument. */
  offsets: Int32Array = new Int32Array(64)
  /** After a FAULT: Redis' text. */
  fault = ''
}

/**
 * Reads `*<count>\r\n` at pos. Returns the position behind it, INCOMPLETE or FAULT. A count of 0 or less leaves
 * `left` 0: a request of no arguments, which is complete and nothing.
 */
export function readCount(frame: Frame, buf: Buffer, pos: number, end: number, authenticated: boolean): number {
  frame.argc = 0
  frame.left = 0
  frame.bulk = -1
  // One digit is nearly always all there is.
  let count = 0
  let after = pos + 4
  if (after <= end && buf[pos + 2] === CR && buf[pos + 3] === LF && buf[pos + 1] >= 0x30 && buf[pos + 1] <= 0x39) {
    count = buf[pos + 1] - 0x30
  } else {
    const lineEnd = findLineEnd(buf, pos, end)
    if (lineEnd === INCOMPLETE) return incomplete(frame, pos)
    if (lineEnd === FAULT) return fault(frame, pos + MAX_LINE + 1, 'too big mbulk count string')
    after = lineEnd + 2
    count = parseInteger(buf, pos + 1, lineEnd)
    if (!(count <= MAX_COUNT)) return fault(frame, after, 'invalid multibulk length')
    if (count > UNAUTHENTICATED_COUNT && !authenticated) return fault(frame, after, 'unauthenticated multibulk length')
    buf[lineEnd + 1] = LF
  }
  if (count > 0) frame.left = count
  frame.at = after
  return after
}

/**
 * Reads arguments at pos until none is left. If a payload is being read already, pos is where it begins, which may be
 * before the chunk. Offsets are recorded with `shift` added. Returns the position behind the request, INCOMPLETE
 * (with the frame at the line or payload that goes on) or FAULT.
 */
export function readBulks(
  frame: Frame,
  buf: Buffer,
  pos: number,
  end: number,
  shift: number,
  authenticated: boolean,
  maxBulk: number,
): number {
  const most = authenticated || maxBulk < UNAUTHENTICATED_BULK ? maxBulk : UNAUTHENTICATED_BULK
  let argc = frame.argc
  let left = frame.left
  let bulk = frame.bulk
  let offsets = frame.offsets
  while (left > 0) {
    if (bulk < 0) {
      let at = pos + 1
      let length = 0
      let digit = 0
      if (pos < end && buf[pos] === DOLLAR) {
        while (at < end && (digit = buf[at] - 0x30) >= 0 && digit <= 9) {
          length = length * 10 + digit
          at++
        }
      }
      const digits = at - pos - 1
      // The usual line is done with; all else (unfinished, odd or wrong) takes the careful way.
      if (
        at + 1 < end &&
        buf[at] === CR &&
        buf[at + 1] === LF &&
        length <= most &&
        (length > 0 ? buf[pos + 1] !== 0x30 : digits === 1)
      ) {
        pos = at + 2
      } else {
        const lineEnd = findLineEnd(buf, pos, end)
        if (lineEnd === INCOMPLETE) break
        if (lineEnd === FAULT) return fault(frame, pos + shift + MAX_LINE + 1, 'too big bulk count string')
        const after = lineEnd + 2
        if (buf[pos] !== DOLLAR) return fault(frame, after + shift, `expected '$', got '${printable(buf[pos])}'`)
        length = parseInteger(buf, pos + 1, lineEnd)
        if (!(length >= 0 && length <= maxBulk)) return fault(frame, after + shift, 'invalid bulk length')
        if (length > most) return fault(frame, after + shift, 'unauthenticated bulk length')
        buf[lineEnd + 1] = LF
        pos = after
      }
      bulk = length
    }
    const after = pos + bulk + 2
    if (after > end) break
    if (buf[after - 2] !== CR || buf[after - 1] !== LF) {
      buf[after - 2] = CR
      buf[after - 1] = LF
    }
    // A write beyond the end would be lost without a word: room for two more.
    if (2 * argc + 2 > offsets.length) offsets = frame.offsets = grown(offsets)
    offsets[2 * argc] = pos + shift
    offsets[2 * argc + 1] = pos + shift + bulk
    argc++
    left--
    bulk = -1
    pos = after
  }
  frame.argc = argc
  frame.left = left
  frame.bulk = bulk
  frame.at = pos + shift
  return left === 0 ? pos : INCOMPLETE
}

/**
 * A request that goes on in the next chunk, with its bytes so far. Its memory follows what was received, never what
 * was announced.
 */
export class UnfinishedFrame extends Frame {
  buf: Buffer
  length: number
  /** The line being read has a NUL in it. Redis looks for line ends with strchr, so this one has none. */
  private endless = false

  /** Takes the request that begins at buf[from], of which `frame` (absent: nothing) is known. */
  constructor(buf: Buffer, from: number, end: number, frame?: Frame) {
    super()
    this.length = end - from
    if (frame !== undefined) {
      const { argc, offsets } = frame
      this.argc = argc
      this.left = frame.left
      this.bulk = frame.bulk
      this.at = frame.at - from
      if (2 * argc > this.offsets.length) this.offsets = new Int32Array(4 * argc)
      for (let i = 0; i < 2 * argc; i++) this.offsets[i] = offsets[i] - from
    }
    this.buf = Buffer.allocUnsafe(this.capacityFor(this.length))
    buf.copy(this.buf, 0, from, end)
    this.noteEndless()
  }

  /** The last chunk ended inside a line, or between the two bytes behind a bulk. */
  get insideLine(): boolean {
    return this.length > (this.bulk < 0 ? this.at : this.at + this.bulk)
  }

  /** Takes the rest of a chunk that the request goes beyond. */
  absorb(buf: Buffer, from: number, end: number): void {
    this.append(buf, from, end)
    this.noteEndless()
  }

  append(buf: Buffer, from: number, end: number): void {
    const length = this.length + end - from
    if (length > this.buf.length) {
      const old = this.buf
      this.buf = Buffer.allocUnsafe(this.capacityFor(length))
      old.copy(this.buf, 0, 0, this.length)
    }
    buf.copy(this.buf, this.length, from, end)
    this.length = length
  }

  /**
   * Takes the rest of the line, or line end, at hand. Returns the position behind it, INCOMPLETE when it goes on, or
   * FAULT when it is too long.
   */
  takeLine(buf: Buffer, from: number, end: number): number {
    const inline = this.buf[0] !== STAR
    if (this.bulk >= 0 || (!inline && !this.endless && this.buf[this.length - 1] === CR)) {
      // Only one byte is missing.
      const after = Math.min(from + 1, end)
      this.append(buf, from, after)
      return after > from ? after : INCOMPLETE
    }
    // At most as much as shows that the line is too long.
    const bound = Math.min(end, from + MAX_LINE + 1 - (this.length - this.at))
    let pos = from
    if (this.endless) {
      pos = bound
    } else {
      const last = inline ? LF : CR
      while (pos < bound && buf[pos] !== last && buf[pos] !== 0) pos++
      if (pos < bound && buf[pos] === last) {
        const after = inline ? pos + 1 : pos + 2
        this.append(buf, from, Math.min(after, end))
        return after <= end ? after : INCOMPLETE
      }
      this.endless = pos < bound
    }
    this.append(buf, from, bound)
    if (this.length - this.at <= MAX_LINE) return INCOMPLETE
    if (inline) this.fault = 'too big inline request'
    else this.fault = this.left === 0 ? 'too big mbulk count string' : 'too big bulk count string'
    return FAULT
  }

  private noteEndless(): void {
    if (this.bulk < 0) this.endless = this.buf.subarray(this.at, this.length).includes(0)
  }

  /**
   * Doubling keeps copying linear. Where the end of the request is known it is the exact size; where a bulk makes up
   * most of the request, not much more than that bulk needs.
   */
  private capacityFor(length: number): number {
    if (this.argc > 0 && this.left === 0) return length
    const doubled = Math.max(2 * length, 128)
    if (this.bulk < 0 || (this.left > 1 && this.bulk < length / 2)) return doubled
    const needed = this.at + this.bulk + 2
    return Math.min(doubled, this.left === 1 ? needed : Math.ceil(needed * 1.125))
  }
}

/** The place of the CR that ends the line at pos, if the byte behind it is there too. */
function findLineEnd(buf: Buffer, pos: number, end: number): number {
  const bound = Math.min(end, pos + MAX_LINE + 1)
  let at = pos
  while (at < bound && buf[at] !== CR && buf[at] !== 0) at++
  if (at < bound && buf[at] === CR) return at + 1 < end ? at : INCOMPLETE
  return end - pos > MAX_LINE ? FAULT : INCOMPLETE
}

/** Redis' string2ll: no blanks, plus sign or leading zeros, 64 bits. NaN if it is none. Inexact beyond 2^53. */
function parseInteger(buf: Buffer, from: number, end: number): number {
  const negative = from < end && buf[from] === 0x2d
  const first = negative ? from + 1 : from
  const digits = end - first
  if (digits < 1 || digits > 19) return Number.NaN
  if (buf[first] === 0x30) return digits === 1 && !negative ? 0 : Number.NaN
  let value = 0
  for (let at = first; at < end; at++) {
    const digit = buf[at] - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  if (digits === 19) {
    const limit = negative ? '9223372036854775808' : '9223372036854775807'
    if (buf.toString('latin1', first, end) > limit) return Number.NaN
  }
  return negative ? -value : value
}

function grown(offsets: Int32Array): Int32Array {
  const bigger = new Int32Array(2 * offsets.length)
  bigger.set(offsets)
  return bigger
}

function incomplete(frame: Frame, at: number): typeof INCOMPLETE {
  frame.at = at
  return INCOMPLETE
}

function fault(frame: Frame, at: number, text: string): typeof FAULT {
  frame.at = at
  frame.fault = text
  return FAULT
}

/** Redis blanks out what would break its error line. */
function printable(byte: number): string {
  return byte === CR || byte === LF ? ' ' : String.fromCharCode(byte)
}
