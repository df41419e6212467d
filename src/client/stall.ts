import { RequestReader } from '../resp/request-reader.ts'
import type { RequestLimits, RequestSink } from '../resp/types.ts'

/** What a Buffer costs besides its bytes, about. */
const FRAME_BYTES = 128

/**
 * Requests that were read but not looked at, because what they mean depends on a reply that is under way: behind
 * AUTH with requests in flight, behind EXEC with a SELECT in it. Limit: `buffers.request`, as for all requests.
 */
export class Stall {
  active = false
  /** Bytes kept. */
  bytes = 0
  private frames: Buffer[] | undefined = undefined
  /** The next one to be looked at. */
  private at = 0
  private releasing = false

  /** Something of it is left. */
  get empty(): boolean {
    return !this.active && this.frames === undefined
  }

  /**
   * Keeps all requests from now on. `again`: the request that is being looked at, whole, if it has to be looked at
   * once more.
   */
  begin(again?: Buffer): void {
    this.active = true
    if (again === undefined) return
    if (this.releasing) {
      // It is in the list already; what is behind it stays where it is, so a long pipeline is walked once.
      this.at--
      this.bytes += again.length + FRAME_BYTES
    } else {
      this.add(again)
    }
  }

  /** Keeps a copy of a whole request. */
  add(frame: Buffer): void {
    this.frames ??= []
    this.frames.push(Buffer.from(frame))
    this.bytes += frame.length + FRAME_BYTES
  }

  /** Hands the requests to the sink, in order, up to one that begins a new stall. */
  release(limits: RequestLimits, sink: RequestSink): void {
    if (this.releasing) return
    this.active = false
    const { frames } = this
    if (frames === undefined) return
    this.releasing = true
    const reader = new RequestReader(limits)
    reader.authenticated = true
    while (this.at < frames.length && !this.active) {
      const frame = frames[this.at++]
      this.bytes -= frame.length + FRAME_BYTES
      reader.feed(frame, 0, frame.length, sink)
    }
    this.releasing = false
    if (this.at < frames.length) return
    this.frames = undefined
    this.at = 0
  }

  drop(): void {
    this.active = false
    this.frames = undefined
    this.at = 0
    this.bytes = 0
  }
}
