import { ARRAY, BULK, INTEGER, MAP, NULL, SET, STRING } from '../../resp/type-bytes.ts'

const CR = 0x0d
const LF = 0x0a

/**
 * Is this whole reply what a command of the cache says of a key that does not exist: nulls, zeros, nothing at all, or aggregates of
 * them? A key that exists may give the same.
 */
export function isOfNothing(reply: Buffer): boolean {
  for (let at = 0; at < reply.length; ) {
    const end = reply.indexOf(LF, at)
    if (end === -1 || !isNothing(reply, at, end - 1)) return false
    // The string of no bytes is a line of its own.
    at = reply[at] === BULK && reply[at + 1] === ZERO ? end + 3 : end + 1
  }
  return true
}

/** Is this whole reply one null? */
export function isNull(buf: Buffer, start: number, end: number): boolean {
  if (buf[start] === NULL) return end - start === 3
  return end - start === 5 && buf[start + 1] === MINUS && buf[start + 3] === CR
}

/** Of one line, up to its CR. */
function isNothing(buf: Buffer, start: number, end: number): boolean {
  switch (buf[start]) {
    // Of an aggregate, the elements tell.
    case ARRAY:
    case MAP:
    case SET:
    case NULL:
      return true
    case BULK:
      return buf[start + 1] === ZERO || buf[start + 1] === MINUS
    case INTEGER:
      // BITPOS of a bit that is nowhere: -1.
      return buf[start + 1] === ZERO || (buf[start + 1] === MINUS && buf[start + 2] === ONE && end - start === 3)
    case STRING:
      return end - start === NONE.length && buf.compare(NONE, 0, NONE.length, start, end) === 0
    default:
      return false
  }
}

const MINUS = 0x2d
const ZERO = 0x30
const ONE = 0x31

/** What TYPE says. */
const NONE = Buffer.from('+none')
