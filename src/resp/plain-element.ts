import { BULK, DOUBLE, ERROR, INTEGER, NULL, STRING } from './type-bytes.ts'

const CR = 0x0d
const LF = 0x0a
const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d

/** Longest simple string or error, and longest other line, without type byte and CRLF. */
export const MAX_TEXT = 1024 * 1024
export const MAX_NUMBER = 64 * 1024
export const MAX_INTEGER_DIGITS = 19

/** 1 for what printf and the names of infinity and not-a-number may put into a double. */
export const IN_DOUBLE = new Uint8Array(256)
for (const byte of Buffer.from('0123456789+-.eEinfa')) IN_DOUBLE[byte] = 1

/**
 * The offset behind the element at pos, if it is one of the usual scalars and all there; else -1, and the scanner has
 * a closer look. This is the fast path of the scanner: no state, nothing allocated.
 */
export function wholeElement(buf: Buffer, pos: number, end: number): number {
  const head = buf[pos]
  let at = pos + 1
  let byte = 0
  if (head === BULK) {
    let length = 0
    if (at + 3 < end && buf[at] === MINUS) {
      return buf[at + 1] === ZERO + 1 && buf[at + 2] === CR && buf[at + 3] === LF ? at + 4 : -1
    }
    while (at < end && (byte = buf[at]) >= ZERO && byte <= NINE) {
      length = length * 10 + byte - ZERO
      at++
    }
    const after = at + length + 4
    return after <= end &&
      (length > 0 ? buf[pos + 1] !== ZERO : at === pos + 2) &&
      byte === CR &&
      buf[at + 1] === LF &&
      buf[after - 2] === CR &&
      buf[after - 1] === LF
      ? after
      : -1
  }
  if (head === INTEGER) {
    while (at < end && (byte = buf[at]) >= ZERO && byte <= NINE) at++
    const digits = at - pos - 1
    if (digits === 0 || digits > MAX_INTEGER_DIGITS) return -1
  } else if (head === STRING || head === ERROR) {
    while (at < end && (byte = buf[at]) !== CR && byte !== LF) at++
    if (at - pos - 1 > MAX_TEXT) return -1
  } else if (head === DOUBLE) {
    while (at < end && IN_DOUBLE[(byte = buf[at])] === 1) at++
    if (at === pos + 1 || at - pos - 1 > MAX_NUMBER) return -1
  } else if (head === NULL) {
    if (at < end) byte = buf[at]
  } else {
    return -1
  }
  return byte === CR && at + 1 < end && buf[at + 1] === LF ? at + 2 : -1
}
