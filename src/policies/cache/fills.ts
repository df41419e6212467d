import type { Fill } from '../../commands/effects.ts'
import { encodeRequest } from '../../resp/request-encoder.ts'
import { ATTRIBUTE, BLOB_ERROR, ERROR, PUSH } from '../../resp/type-bytes.ts'
import type { Session } from '../../session/session.ts'
import { isNull } from './absent.ts'
import type { EntryProbe } from './entry-key.ts'
import { readPttl } from './lifetime.ts'
import type { CachedRule } from './rule.ts'
import type { TenantCache, Want } from './tenant-cache.ts'

/**
 * Replies that went to their clients on the usual way, behind other requests of theirs, and are kept from there. How long, is asked
 * when they are there: of most that are not worth it, it never is.
 *
 * Limits: `maxFetches` replies wait for that, of as many bytes together as the largest entry may have. Those beyond are not kept, and
 * count as `skipped`.
 */
export class Fills {
  private readonly cache: TenantCache
  /** Hashes of entries whose time to live has been asked for. */
  private readonly underWay = new Set<number>()
  /** Of the replies that wait for that. */
  private bytes = 0

  constructor(cache: TenantCache) {
    this.cache = cache
  }

  /** For the reply to what `probe` holds, which is about to be asked for. */
  fill(probe: EntryProbe, rule: CachedRule, { prefix, protocol }: Session): Fill {
    return new ReplyFill(this, this.cache.want(probe, rule), prefix, protocol)
  }

  /** `reply`: buf[start..end), which is to be copied. */
  came(want: Want, prefix: Buffer, protocol: 2 | 3, type: number, buf: Buffer, start: number, end: number): void {
    const { cache, underWay } = this
    const { host, options, source } = cache
    const { key, rule } = want
    if (source === undefined || !isKept(type, buf, start) || !cache.holds(want) || underWay.has(key.hash)) return
    if (rule.options.negative === 0 && key.command === host.get.index && isNull(buf, start, end)) return
    if (!cache.hasRoomFor(end - start)) {
      cache.tooLarge(want)
      return
    }
    if (underWay.size >= options.maxFetches || !cache.hasRoomFor(this.bytes + end - start)) {
      rule.skipped++
      return
    }
    underWay.add(key.hash)
    this.bytes += end - start
    const reply = Buffer.from(buf.subarray(start, end))
    const raw = Buffer.concat([prefix, key.bytes.subarray(0, key.keyEnd)])
    source.fetch(cache.index, host.pttl, encodeRequest([PTTL, raw]), protocol, (_type, answer) => {
      underWay.delete(key.hash)
      this.bytes -= reply.length
      if (answer === undefined) return
      cache.keep(want, readPttl(answer, 0, answer.length), reply, 0, reply.length)
    })
  }
}

/** The reply to one request. */
class ReplyFill implements Fill {
  private readonly fills: Fills
  private readonly want: Want
  private readonly prefix: Buffer
  private readonly protocol: 2 | 3

  constructor(fills: Fills, want: Want, prefix: Buffer, protocol: 2 | 3) {
    this.fills = fills
    this.want = want
    this.prefix = prefix
    this.protocol = protocol
  }

  replied(type: number, buf: Buffer, start: number, end: number): void {
    this.fills.came(this.want, this.prefix, this.protocol, type, buf, start, end)
  }
}

/** Can this reply be kept? With an attribute in front it is more than its value. */
export function isKept(type: number, buf: Buffer, start: number): boolean {
  const first = buf[start]
  return first === type && first !== ERROR && first !== BLOB_ERROR && first !== ATTRIBUTE && first !== PUSH
}

const PTTL = Buffer.from('PTTL')
