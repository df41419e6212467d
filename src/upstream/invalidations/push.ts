import { BadReply } from '../../resp/reply-scanner.ts'
import { ARRAY, BULK, NULL } from '../../resp/type-bytes.ts'

/** Who hears of writes. */
export interface InvalidationSink {
  /** Valid during the call only. */
  invalidated(rawKey: Buffer): void
  /** All keys of all databases may have changed. */
  everything(): void
}

/**
 * Hands on what a push, buf[start..end), tells of writes: a list of keys, or null after FLUSHALL and FLUSHDB. Pushes of another kind
 * are passed over. Throws BadReply when it should tell of writes and does not. The push is whole and RESP, as a ReplyScanner has found.
 * https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export function readPush(buf: Buffer, start: number, end: number, sink: InvalidationSink): void {
  const { length } = HEAD
  if (end - start < length || buf.compare(HEAD, 0, length, start, start + length) !== 0) {
    if (buf.toString('latin1', start, end).includes(NAME)) throw new BadReply('an invalidation of another shape')
    return
  }
  let pos = start + length
  if (buf[pos] === NULL) {
    sink.everything()
    return
  }
  if (buf[pos] !== ARRAY || buf[pos + 1] === MINUS) throw new BadReply('an invalidation without keys')
  pos = buf.indexOf(LF, pos) + 1
  while (pos < end) {
    if (buf[pos] !== BULK) throw new BadReply('an invalidation of what is no key')
    let size = 0
    for (pos++; buf[pos] !== CR; pos++) size = size * 10 + buf[pos] - ZERO
    sink.invalidated(buf.subarray(pos + 2, pos + 2 + size))
    pos += size + 4
  }
}

const NAME = 'invalidate'
const HEAD = Buffer.from(`>2\r\n$10\r\n${NAME}\r\n`)
const MINUS = 0x2d
const ZERO = 0x30
const CR = 0x0d
const LF = 0x0a
