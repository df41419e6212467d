import type { KeyList } from '../commands/spec.ts'
import { copyBytes, type Slab } from '../lib/slab.ts'

/** Longest `$<length>\r\n`. */
const HEADER_BYTES = 14

/**
 * Writes the request buf[start..end) into slab.bytes from slab.used on, with `prefix` in front of each key and the
 * bulk lengths to match, and advances slab.used. Returns where it begins in slab.bytes. Values are copied, never looked at. `args` are the offsets of the
 * arguments as RequestSink gives them, `keys` argument indices in ascending order.
 */
export function rewriteRequest(
  slab: Slab,
  buf: Buffer,
  start: number,
  end: number,
  args: Int32Array,
  keys: KeyList,
  prefix: Buffer,
): number {
  const added = prefix.length
  const count = added === 0 ? 0 : keys.count
  slab.reserve(end - start + count * (added + HEADER_BYTES))
  const out = slab.bytes
  const begin = slab.used
  let at = begin
  let from = start
  for (let i = 0; i < count; i++) {
    const k = keys.at[i]
    const keyStart = args[2 * k]
    const length = args[2 * k + 1] - keyStart + added
    // The header of argument k begins behind the \r\n of the one before it; a key is never argument 0.
    at = copyBytes(buf, from, args[2 * k - 1] + 2, out, at)
    out[at++] = DOLLAR
    at = writeDecimal(length, out, at)
    out[at++] = CR
    out[at++] = LF
    for (let j = 0; j < added; j++) out[at++] = prefix[j]
    from = keyStart
  }
  slab.used = copyBytes(buf, from, end, out, at)
  return begin
}

/** Where a request can be cut so that all keys are in front: behind them its bytes may be sent as they are. */
export function lastKeyEnd(start: number, args: Int32Array, keys: KeyList): number {
  return keys.count === 0 ? start : args[2 * keys.at[keys.count - 1] + 1]
}

function writeDecimal(value: number, out: Buffer, at: number): number {
  if (value < 10) {
    out[at] = ZERO + value
    return at + 1
  }
  if (value < 100) {
    const tens = (value / 10) | 0
    out[at] = ZERO + tens
    out[at + 1] = ZERO + value - tens * 10
    return at + 2
  }
  let digits = 3
  for (let limit = 1000; value >= limit; limit *= 10) digits++
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10)
    out[i] = ZERO + rest - tenth * 10
    rest = tenth
  }
  return at + digits
}

const DOLLAR = 0x24
const ZERO = 0x30
const CR = 0x0d
const LF = 0x0a
