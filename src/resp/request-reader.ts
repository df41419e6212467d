import { inlineRequest, splitInline } from './inline-request.ts'
import { FAULT, Frame, INCOMPLETE, MAX_LINE, readBulks, readCount, UnfinishedFrame } from './request-frame.ts'
import type { RequestLimits, RequestSink } from './types.ts'

const STAR = 0x2a
const CR = 0x0d
const LF = 0x0a

/** Offsets are 32 bits wide, whatever the configured limit says. */
const MAX_REQUEST = 2 ** 31 - 1
/** Argument offsets that the shared frame keeps between requests. */
const KEEP_OFFSETS = 64 * 1024

/**
 * Parsing is synchronous, so all readers share the frame of the request at hand; only a request that is split over
 * chunks costs its client memory of its own. Undefined while a reader has it.
 */
let shared: Frame | undefined

/**
 * Cuts what one client sends into requests, with Redis' own limits and error texts (networking.c of Redis 7.0).
 * One pass over each chunk, resumable at any byte, no object per argument. Whole requests are handed out as spans of
 * the chunk; a chunk may be reused by the caller once feed() has returned, because what an unfinished request needs
 * is copied. The sink must not throw, and must not feed this reader from inside onRequest.
 */
export class RequestReader {
  /** While false, requests over 10 arguments or with a bulk over 16 KiB are protocol errors, as in Redis. */
  authenticated = false
  /** During onRequest: `buf` belongs to no one else and is never touched again, so the sink may keep it. */
  owned = false
  private readonly limits: RequestLimits
  private stopped = false
  private unfinished: UnfinishedFrame | undefined = undefined

  constructor(limits: RequestLimits) {
    this.limits = limits
  }

  /** Bytes held for an unfinished request. */
  get pendingBytes(): number {
    return this.unfinished === undefined ? 0 : this.unfinished.length
  }

  /** Take no more bytes, not even the rest of the present chunk. May be called inside onRequest. */
  stop(): void {
    this.stopped = true
    this.unfinished = undefined
  }

  /**
   * Hands every request that ends in buf[start..end) to the sink. Line ends in there that Redis would let pass though
   * they are none are put right in place.
   */
  feed(buf: Buffer, start: number, end: number, sink: RequestSink): void {
    let pos = start
    if (this.unfinished !== undefined) pos = this.resume(this.unfinished, buf, start, end, sink)
    if (pos === end || this.stopped) return
    const limits = this.limits
    const most = Math.min(limits.buffer, MAX_REQUEST)
    const frame = shared ?? new Frame()
    shared = undefined
    while (pos >= 0 && pos < end && !this.stopped) {
      const from = pos
      if (buf[pos] !== STAR) {
        pos = this.inline(buf, pos, end, sink)
        if (pos === INCOMPLETE) this.keep(new UnfinishedFrame(buf, from, end), sink)
        continue
      }
      pos = readCount(frame, buf, pos, end, this.authenticated)
      if (pos >= 0) pos = readBulks(frame, buf, pos, end, 0, this.authenticated, limits.bulk)
      if (pos >= 0 && pos - from <= most) {
        if (frame.argc > 0) sink.onRequest(buf, from, pos, frame.argc, frame.offsets)
      } else if (pos === INCOMPLETE) {
        this.keep(new UnfinishedFrame(buf, from, end, frame), sink)
      } else {
        this.fail(frame, pos === FAULT ? frame.at - from : pos - from, sink)
      }
    }
    // One absurdly long request must not cost its memory for ever.
    if (frame.offsets.length <= KEEP_OFFSETS) shared = frame
  }

  /** Reads on in an unfinished request. Returns where in the chunk the next request begins, or `end`. */
  private resume(frame: UnfinishedFrame, buf: Buffer, start: number, end: number, sink: RequestSink): number {
    let pos = start
    if (frame.insideLine) {
      // The chunk boundary went through a line: complete the line in the frame's own buffer, and read it there.
      pos = frame.takeLine(buf, start, end)
      if (pos < 0) {
        if (pos === INCOMPLETE) this.keep(frame, sink)
        else this.fail(frame, frame.length, sink)
        return end
      }
      if (frame.buf[0] !== STAR) return this.resumeInline(frame, pos, sink)
      let after = frame.at
      if (frame.left === 0) after = readCount(frame, frame.buf, 0, frame.length, this.authenticated)
      else after = readBulks(frame, frame.buf, after, frame.length, 0, this.authenticated, this.limits.bulk)
      if (after === FAULT) {
        this.fail(frame, frame.at, sink)
        return end
      }
    }
    // From here on the chunk is read in place; `shift` maps its positions to those in the frame's buffer.
    const shift = frame.length - pos
    const after = readBulks(frame, buf, frame.at - shift, end, shift, this.authenticated, this.limits.bulk)
    if (after === FAULT) {
      this.fail(frame, frame.at, sink)
      return end
    }
    if (after === INCOMPLETE) {
      frame.absorb(buf, pos, end)
      this.keep(frame, sink)
      return end
    }
    frame.append(buf, pos, after)
    this.unfinished = undefined
    if (frame.length > Math.min(this.limits.buffer, MAX_REQUEST)) {
      this.fail(frame, frame.length, sink)
    } else if (frame.argc > 0) {
      this.owned = true
      sink.onRequest(frame.buf, 0, frame.length, frame.argc, frame.offsets)
      this.owned = false
    }
    return after
  }

  private resumeInline(frame: UnfinishedFrame, pos: number, sink: RequestSink): number {
    this.unfinished = undefined
    this.inline(frame.buf, 0, frame.length, sink)
    return pos
  }

  /** Reads the line at `pos`. Returns the position behind it, INCOMPLETE, or FAULT when the sink has been told. */
  private inline(buf: Buffer, pos: number, end: number, sink: RequestSink): number {
    let lineEnd = pos
    const bound = Math.min(end, pos + MAX_LINE + 1)
    while (lineEnd < bound && buf[lineEnd] !== LF && buf[lineEnd] !== 0) lineEnd++
    if (lineEnd === bound || buf[lineEnd] === 0) {
      if (end - pos <= MAX_LINE) return INCOMPLETE
      return this.fault('too big inline request', MAX_LINE + 1, sink)
    }
    const after = lineEnd + 1
    if (lineEnd > pos && buf[lineEnd - 1] === CR) lineEnd--
    if (!splitInline(buf, pos, lineEnd)) return this.fault('unbalanced quotes in request', after - pos, sink)
    if (after - pos > this.limits.buffer) return this.fault('', after - pos, sink)
    const request = inlineRequest
    if (request.argc > 0) sink.onRequest(request.buf, request.start, request.end, request.argc, request.args)
    return after
  }

  private keep(frame: UnfinishedFrame, sink: RequestSink): void {
    if (frame.length > Math.min(this.limits.buffer, MAX_REQUEST)) this.fail(frame, frame.length, sink)
    else this.unfinished = frame
  }

  private fail(frame: Frame, size: number, sink: RequestSink): void {
    this.fault(frame.fault, size, sink)
  }

  /**
   * Ends the reading. A request that was over the limit before its fault showed (in `size` bytes) is a limit error,
   * so that the outcome does not depend on how the bytes were cut.
   */
  private fault(text: string, size: number, sink: RequestSink): typeof FAULT {
    this.stop()
    if (size > Math.min(this.limits.buffer, MAX_REQUEST)) sink.onRequestLimit()
    else sink.onProtocolError(`ERR Protocol error: ${text}`)
    return FAULT
  }
}
