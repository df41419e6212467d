import type { CommandSpec } from '../../commands/spec.ts'
import type { Clock } from '../../lib/clock.ts'
import { PerSecond } from '../../lib/per-second.ts'
import { encodeRequest } from '../../resp/request-encoder.ts'
import type { Session } from '../../session/session.ts'
import type { Entry } from './entry.ts'
import type { TenantCache } from './tenant-cache.ts'

/** Milliseconds between two for the same entry. */
const INTERVAL = 10_000
/** In a second, of the whole process. */
const MOST = 100

/**
 * A key that is read from here looks idle to the server, which would evict it first though it is used most. So of the hits of an entry one
 * is told now and then, to servers that evict by use. https://redis.io/docs/latest/commands/touch/
 */
export class Touches {
  private readonly touch: CommandSpec
  private readonly clock: Clock
  private readonly rate = new PerSecond(MOST)

  constructor(touch: CommandSpec, clock: Clock) {
    this.touch = touch
    this.clock = clock
  }

  /** The session was answered from this entry. */
  hit(cache: TenantCache, session: Session, entry: Entry): void {
    const { now } = this.clock
    if (entry.sinceTouched(now) >= INTERVAL) this.due(cache, session, entry, now)
  }

  private due({ source, index }: TenantCache, { prefix, noTouch }: Session, entry: Entry, now: number): void {
    if (source?.evicts !== true || noTouch || !this.rate.take(now)) return
    entry.touch(now)
    const key = Buffer.concat([prefix, entry.bytes.subarray(entry.start, entry.keyEnd)])
    source.fetch(index, this.touch, encodeRequest([TOUCH, key]), entry.protocol, nothing)
  }
}

/** If it does not arrive, another one will. */
function nothing(): void {}

const TOUCH = Buffer.from('TOUCH')
