import { RequestReader } from '../resp/request-reader.ts'
import type { RequestLimits, RequestSink } from '../resp/types.ts'

/**
 * Requests that were read but not looked at, because what they mean depends on a reply that is under way: behind
 * AUTH with requests in flight, behind EXEC with a SELECT in it. Limit: `buffers.request`, as for all requests.
 */
export class Stall {
  private frames: Buffer[] | undefined = undefined
  private releasing = false
  /** Bytes kept. */
  bytes = 0

  get active(): boolean {
    return this.frames !== undefined
  }

  begin(): void {
    this.frames ??= []
  }

  /** Keeps a copy of a whole request. */
  add(frame: Buffer): void {
    this.frames?.push(Buffer.from(frame))
    this.bytes += frame.length
  }

  /** Hands the requests to the sink, in order. One of them may begin a new stall; those behind it are kept anew. */
  release(limits: RequestLimits, sink: RequestSink): void {
    const { frames } = this
    if (frames === undefined || this.releasing) return
    this.frames = undefined
    this.releasing = true
    const reader = new RequestReader(limits)
    reader.authenticated = true
    for (const frame of frames) {
      this.bytes -= frame.length
      reader.feed(frame, 0, frame.length, sink)
    }
    this.releasing = false
  }

  drop(): void {
    this.frames = undefined
    this.bytes = 0
  }
}
