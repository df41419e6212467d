import { LRUCache } from 'lru-cache'
import { ArgView } from '../commands/arg-view.ts'
import type { Exchange } from '../commands/exchange.ts'
import { findKeys } from '../commands/keys.ts'
import { KeyList } from '../commands/spec.ts'
import { RequestReader } from '../resp/request-reader.ts'

const MOST_KEYS = 10_000

/**
 * Keys whose last reply was over the bulk size: requests for them take a lane of their own, so that small replies
 * do not queue behind big ones. How big a reply is cannot be known before it has come once. Remembers 32-bit
 * hashes of raw keys, at most 10,000; a collision costs nothing but the other lane.
 */
export class BigKeys {
  private readonly hashes = new LRUCache<number, true>({ max: MOST_KEYS })

  get empty(): boolean {
    return this.hashes.size === 0
  }

  has(prefix: Buffer, buf: Buffer, start: number, end: number): boolean {
    return this.hashes.get(hash(hash(SEED, prefix, 0, prefix.length), buf, start, end) >>> 0) === true
  }

  /** The reply to x was big: remember its first key, read back from the request as it was sent. */
  remember(x: Exchange): void {
    const reader = new RequestReader({ bulk: Number.MAX_SAFE_INTEGER, buffer: Number.MAX_SAFE_INTEGER })
    reader.authenticated = true
    const keys = new KeyList()
    reader.feed(x.bytes, x.start, x.end, {
      onRequest: (buf, _start, _end, argc, args) => {
        findKeys(x.spec, new ArgView().set(buf, argc, args), keys)
        if (keys.count === 0) return
        const k = keys.at[0]
        this.hashes.set(hash(SEED, buf, args[2 * k], args[2 * k + 1]) >>> 0, true)
      },
      onProtocolError() {},
      onRequestLimit() {},
    })
  }
}

/** FNV-1a, continued from h. */
function hash(h: number, buf: Buffer, start: number, end: number): number {
  let out = h
  for (let i = start; i < end; i++) out = Math.imul(out ^ buf[i], 0x01000193)
  return out
}

const SEED = 0x811c9dc5
