import { RequestReader } from '../../src/resp/request-reader.ts'
import type { RequestLimits } from '../../src/resp/types.ts'

/** What a RequestReader made of some bytes, in plain values. One character per byte. */
export interface ReadOutcome {
  readonly requests: string[][]
  /** The whole frames. */
  readonly frames: string[]
  /** What ended the reading, if anything did. */
  readonly end: string | undefined
  readonly pendingBytes: number
}

export interface ReadOptions {
  readonly limits?: RequestLimits
  readonly authenticated?: boolean
  /** Offsets where one chunk ends and the next begins. Default: one chunk. */
  readonly cuts?: readonly number[]
  /** Called after each request. */
  readonly afterRequest?: (reader: RequestReader, request: string[]) => void
}

export const DEFAULT_LIMITS: RequestLimits = { bulk: 512 * 1024 * 1024, buffer: 1024 * 1024 * 1024 }

/**
 * Feeds `bytes` to a new reader. All chunks come through one buffer that is spoilt after each feed(), as sockets that
 * read into a shared buffer do it: a reader that keeps a view of a chunk cannot pass.
 */
export function readRequests(bytes: Buffer | string, options: ReadOptions = {}): ReadOutcome {
  const input = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const reader = new RequestReader(options.limits ?? DEFAULT_LIMITS)
  reader.authenticated = options.authenticated ?? true
  const requests: string[][] = []
  const frames: string[] = []
  let end: string | undefined
  const sink = {
    onRequest(buf: Buffer, from: number, to: number, argc: number, args: Int32Array) {
      if (end !== undefined) throw new Error('a request after the end')
      const request: string[] = []
      for (let i = 0; i < argc; i++) request.push(buf.toString('latin1', args[2 * i], args[2 * i + 1]))
      requests.push(request)
      frames.push(buf.toString('latin1', from, to))
      options.afterRequest?.(reader, request)
    },
    onProtocolError(text: string) {
      if (end !== undefined) throw new Error('two ends')
      end = text
    },
    onRequestLimit() {
      if (end !== undefined) throw new Error('two ends')
      end = 'limit'
    },
  }
  const cuts = [...(options.cuts ?? [])].sort((a, b) => a - b)
  const shared = Buffer.alloc(input.length + 2)
  let from = 0
  for (const cut of [...cuts, input.length]) {
    const to = Math.min(cut, input.length)
    // Not at offset 0: positions in the chunk and in the reader's own buffer must not be taken for each other.
    input.copy(shared, 1, from, to)
    reader.feed(shared, 1, 1 + to - from, sink)
    shared.fill(0x2a)
    from = to
  }
  return { requests, frames, end, pendingBytes: reader.pendingBytes }
}

/** Cuts between all bytes. */
export function everyByte(length: number): number[] {
  return Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1)
}
