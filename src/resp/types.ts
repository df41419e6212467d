/** Limits of a request reader, in bytes and counts; Redis' defaults unless configured. */
export interface RequestLimits {
  /** Largest bulk string, `proto-max-bulk-len`. */
  readonly bulk: number
  /** Most bytes kept of one unfinished request, `client-query-buffer-limit`. */
  readonly buffer: number
}

/** Gets whole requests from a RequestReader. */
export interface RequestSink {
  /**
   * One request. Argument i is buf[args[2*i] .. args[2*i+1]); the whole frame, always in multibulk form
   * (inline requests are converted), is buf[start .. end). argc >= 1. Everything is valid during the call only:
   * buf and args are reused (but see RequestReader.owned).
   */
  onRequest(buf: Buffer, start: number, end: number, argc: number, args: Int32Array): void
  /**
   * Not RESP. `text` is Redis' own, without the leading `-`, one character per byte (it can quote any byte: write it
   * as latin1). The reader takes no more bytes after it.
   */
  onProtocolError(text: string): void
  /** A request outgrew RequestLimits.buffer. Redis closes without a word; the reader takes no more bytes after it. */
  onRequestLimit(): void
}

/**
 * A decoded reply, only made where a quirk must read one. `type` is the RESP type byte.
 * Scalars: `text` is the payload (of a line: what stands between type byte and CRLF; of a verbatim string: with its
 * `txt:`). Aggregates (`* ~ % > |`): `items` (a map has key, value, key, value …). A push between the items of an
 * aggregate is an item of type `>` that does not count. Nulls (`$-1`, `*-1`, `_`) have neither text nor items.
 * `attribute`: the attribute (type `|`) that stood in front of this element, if any.
 */
export interface Reply {
  type: number
  text: Buffer | undefined
  items: Reply[] | undefined
  attribute: Reply | undefined
}
