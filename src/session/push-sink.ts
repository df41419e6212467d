/**
 * Whoever gets what no request asked for: messages, MONITOR's lines, invalidations. A client is one
 * (client/client-exchanges.ts); the frames go out between its replies.
 */
export interface PushSink {
  /** What it speaks now: of a frame that differs, it gets the form of this protocol. */
  readonly protocol: 2 | 3
  /** A whole frame. The same bytes may be given to any number of sinks; nobody changes them. */
  push(frame: Buffer): void
}
