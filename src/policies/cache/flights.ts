import { Delay } from '../../commands/delay.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { encodeRequest } from '../../resp/request-encoder.ts'
import { BLOB_ERROR, ERROR } from '../../resp/type-bytes.ts'
import type { Session } from '../../session/session.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import type { EntryProbe } from './entry-key.ts'
import { isKept } from './fills.ts'
import { readPttl } from './lifetime.ts'
import type { CachedRule } from './rule.ts'
import type { TenantCache, Want } from './tenant-cache.ts'

/** One fetch of a reply, and who waits for it. */
interface Flight {
  readonly want: Want
  /** The first is who caused it. */
  readonly followers: Delay[]
  /** NaN: it has not come. */
  pttl: number
}

/**
 * Misses of one tenant that a fetch of Keyward's own answers: one for all who ask for the same, however many. It asks for the time to
 * live and for the value in one batch, of the server whose writes are heard of.
 *
 * Who joins a flight is told what was true at some time after it began. So it may be joined only as long as nothing that is known of
 * was written since; what is written later does no harm to those who were there before: they asked before it was done. A reply
 * that has been overtaken by a write is given to them, and not kept.
 *
 * Limits: `maxFetches` under way, each of which keeps a few kilobytes; `maxFollowers` of one, which bounds how long answering all of
 * them takes. Requests beyond go upstream by themselves, and count as `crowded`.
 */
export class Flights {
  private readonly cache: TenantCache
  /** By hash of the entry: the newest of those under way. */
  private readonly underWay = new Map<number, Flight>()
  /** Those, and older ones for the same entries. */
  count = 0

  constructor(cache: TenantCache) {
    this.cache = cache
  }

  /** A miss of a client that waits for nothing else; it is counted here. */
  board(
    probe: EntryProbe,
    rule: CachedRule,
    spec: CommandSpec,
    { prefix, protocol }: Session,
    request: PolicyRequest,
    ruling: Ruling,
  ): Verdict {
    const { cache } = this
    const { host, options } = cache
    const known = this.underWay.get(probe.hash)
    const joins = known !== undefined && probe.matches(known.want.key) && cache.holds(known.want)
    if (joins ? known.followers.length >= options.maxFollowers : this.count >= options.maxFetches) {
      rule.misses++
      rule.crowded++
      return 'go'
    }
    const delay = new Delay(Number.POSITIVE_INFINITY, nothing)
    ruling.delay = delay
    if (joins) {
      rule.coalesced++
      known.followers.push(delay)
      return 'wait'
    }
    rule.misses++
    const flight: Flight = { want: cache.want(probe, rule), followers: [delay], pttl: Number.NaN }
    this.count++
    this.underWay.set(probe.hash, flight)
    const args = argumentsOf(request)
    const key = prefix.length === 0 ? args[1] : Buffer.concat([prefix, args[1]])
    args[1] = key
    cache.source?.fetch(cache.index, host.pttl, encodeRequest([PTTL, key]), protocol, (_type, reply) => {
      if (reply !== undefined) flight.pttl = readPttl(reply, 0, reply.length)
    })
    cache.source?.fetch(cache.index, spec, encodeRequest(args), protocol, (type, reply, late) =>
      this.land(flight, type, reply, late),
    )
    return 'wait'
  }

  /** `late`: nothing came in time. Then who waited has what is left of its own. */
  private land(flight: Flight, type: number, reply: Buffer | undefined, late: boolean): void {
    const { cache } = this
    const { want, followers } = flight
    this.count--
    if (this.underWay.get(want.key.hash) === flight) this.underWay.delete(want.key.hash)
    // First: whoever comes while the others are answered finds it.
    if (reply !== undefined && isKept(type, reply, 0)) cache.keep(want, flight.pttl, reply, 0, reply.length)
    const answer = reply !== undefined && isAnswer(type, reply) ? reply : undefined
    for (const delay of followers) if (!delay.over) delay.resolve(answer, late)
  }
}

/** Those that are about the key and the arguments. Any other is about the server, and whoever asked finds out for himself. */
function isAnswer(type: number, reply: Buffer): boolean {
  if (type === ERROR) return startsWith(reply, WRONGTYPE) || startsWith(reply, ERR)
  return type !== BLOB_ERROR
}

function startsWith(reply: Buffer, start: Buffer): boolean {
  return reply.length > start.length && reply.compare(start, 0, start.length, 0, start.length) === 0
}

function argumentsOf({ buf, args, argc }: PolicyRequest): Buffer[] {
  return Array.from({ length: argc }, (_, i) => buf.subarray(args[2 * i], args[2 * i + 1]))
}

/** A client that has left is found out when the flight lands. */
function nothing(): void {}

const PTTL = Buffer.from('PTTL')
const WRONGTYPE = Buffer.from('-WRONGTYPE ')
const ERR = Buffer.from('-ERR ')
