/**
 * Inline requests (what a human types into telnet, and what mass insertion files hold) turned into the multibulk form
 * that everything behind the reader works on. Quoting is that of Redis' sdssplitargs; a line never holds a NUL,
 * because the reader stops looking for the end of the line there.
 */

/** The request that the last successful call of splitInline() made. Reused by the next one. */
export const inlineRequest = {
  buf: Buffer.alloc(0),
  start: 0,
  end: 0,
  argc: 0,
  args: new Int32Array(0),
}

const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKSLASH = 0x5c

/** `*<count>\r\n` is written right-aligned in front of the arguments, once their number is known. */
const COUNT_ROOM = 16
/** `$<length>\r\n` and the last CRLF of one argument, at most. */
const ARGUMENT_ROOM = 16
/** Scratch memory above this is given back. */
const KEEP = 64 * 1024

let bytes = Buffer.alloc(0)
let ends = new Int32Array(0)

/**
 * Splits the line buf[from..to) (without its line end) into inlineRequest, whose argc is 0 for a blank line.
 * Returns false when its quotes are unbalanced.
 */
export function splitInline(buf: Buffer, from: number, to: number): boolean {
  if (bytes.length < to - from) {
    bytes = Buffer.allocUnsafeSlow(Math.max(1024, to - from))
    // Arguments are at least one byte and a separator, except "" ones, which take three.
    ends = new Int32Array((bytes.length >> 1) + 1)
  }
  const argc = split(buf, from, to)
  if (argc > 0) encode(argc)
  if (bytes.length > KEEP) {
    bytes = Buffer.alloc(0)
    ends = new Int32Array(0)
  }
  inlineRequest.argc = argc
  return argc >= 0
}

/** Unquotes all arguments into `bytes`, one behind the other, their ends into `ends`. Returns their number or -1. */
function split(buf: Buffer, from: number, to: number): number {
  let argc = 0
  let out = 0
  let pos = from
  for (;;) {
    while (pos < to && isSpace(buf[pos])) pos++
    if (pos >= to) return argc
    let quote = 0
    for (; pos < to; pos++) {
      const byte = buf[pos]
      if (quote === 0) {
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) break
        if (byte === QUOTE || byte === APOSTROPHE) quote = byte
        else bytes[out++] = byte
      } else if (byte === quote) {
        if (pos + 1 < to && !isSpace(buf[pos + 1])) return -1
        quote = 0
        pos++
        break
      } else if (byte !== BACKSLASH || pos + 1 >= to) {
        bytes[out++] = byte
      } else if (quote === APOSTROPHE) {
        if (buf[pos + 1] === APOSTROPHE) pos++
        bytes[out++] = buf[pos]
      } else {
        const next = buf[++pos]
        const high = next === 0x78 && pos + 2 < to ? hexDigit(buf[pos + 1]) : -1
        const low = high >= 0 ? hexDigit(buf[pos + 2]) : -1
        if (low >= 0) {
          bytes[out++] = high * 16 + low
          pos += 2
        } else {
          bytes[out++] = unescaped(next)
        }
      }
    }
    if (quote !== 0) return -1
    ends[argc++] = out
  }
}

function encode(argc: number): void {
  const room = COUNT_ROOM + ends[argc - 1] + argc * ARGUMENT_ROOM
  const request = inlineRequest
  if (request.buf.length < room || request.buf.length > KEEP) request.buf = Buffer.allocUnsafeSlow(Math.max(1024, room))
  if (request.args.length < 2 * argc || request.args.length > KEEP)
    request.args = new Int32Array(Math.max(64, 2 * argc))
  const { buf, args } = request
  let pos = COUNT_ROOM
  let start = 0
  for (let i = 0; i < argc; i++) {
    const end = ends[i]
    pos += buf.write(`$${end - start}\r\n`, pos, 'latin1')
    args[2 * i] = pos
    pos += bytes.copy(buf, pos, start, end)
    args[2 * i + 1] = pos
    buf[pos++] = 0x0d
    buf[pos++] = 0x0a
    start = end
  }
  const count = `*${argc}\r\n`
  request.start = COUNT_ROOM - count.length
  request.end = pos
  buf.write(count, request.start, 'latin1')
}

/** isspace() of the C locale. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function unescaped(byte: number): number {
  if (byte === 0x6e) return 0x0a
  if (byte === 0x72) return 0x0d
  if (byte === 0x74) return 0x09
  if (byte === 0x62) return 0x08
  if (byte === 0x61) return 0x07
  return byte
}
