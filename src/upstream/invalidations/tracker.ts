import type { Socket } from 'node:net'
import type { Clock } from '../../lib/clock.ts'
import type { Flushable, Turn } from '../../lib/turn.ts'
import { BadReply } from '../../resp/reply-scanner.ts'
import { encodeRequest } from '../../resp/request-encoder.ts'
import { ERROR, PUSH } from '../../resp/type-bytes.ts'
import type { UpstreamOptions } from '../options.ts'
import type { Role } from '../server-facts.ts'
import { SubscriberConnection, type SubscriberConnectionHost } from '../subscriber-connection.ts'
import { isPassing } from '../subscriber-retries.ts'
import type { Coverage } from './coverage.ts'
import { type InvalidationSink, readPush } from './push.ts'
import { notAsOrdered } from './tracking-info.ts'
import { CHECK, TrackingLogin } from './tracking-login.ts'

/** Milliseconds between two heartbeats. */
export const BEAT = 250
/**
 * Milliseconds without an answer to a heartbeat, or with errors for answers, after which the connection is given up. One whose server
 * is busy stays: what it has to tell comes in its order.
 */
const SILENT = 3000
/** Timers may go off early by a part of a millisecond. */
const EARLY = 5

/** What a tracker asks of the node whose server it listens to. */
export interface TrackerHost {
  readonly options: UpstreamOptions
  readonly turn: Turn
  readonly clock: Clock
  /** What ROLE must say; undefined: whatever it is. */
  readonly mustBe: Role | undefined
  fault(error: unknown): void
}

/** Who hears of writes from a tracker, and of its fate. */
export interface TrackerOwner extends InvalidationSink {
  /** tracker.heardAt has risen. */
  heard(tracker: Tracker): void
  closed(tracker: Tracker, why: string): void
}

/**
 * One connection on which a server tells of writes, and the heartbeats that show how far it has told. A heartbeat is the question whether
 * it tracks as ordered (a few microseconds of its time): an answer to PING would prove nothing of that. What a server has executed before
 * a heartbeat came, it has told before, or with, the answer: it tells at the end of each turn of its event loop, and a turn begins with
 * a look at who has sent something. So one heartbeat is under way at a time: nothing else must make it look at this connection.
 */
export class Tracker implements SubscriberConnectionHost, Flushable {
  dirty = false
  readonly clock: Clock
  readonly coverage: Coverage
  /** Clock time: every write before it, since `since`, has been handed on. -Infinity: no heartbeat has been answered yet. */
  heardAt = Number.NEGATIVE_INFINITY
  /** Clock time by which the server tracked; Infinity: not known yet. */
  since = Number.POSITIVE_INFINITY
  /** Milliseconds from the newest heartbeat that was answered to its answer. */
  delay: number | undefined = undefined
  private readonly host: TrackerHost
  private readonly owner: TrackerOwner
  private readonly login: TrackingLogin
  private readonly connection: SubscriberConnection
  /** Clock time of the newest heartbeat; it is not answered yet. */
  private beatAt = Number.NEGATIVE_INFINITY
  private asked = false
  /** Clock times of the newest good answer, or of the beginning, and of the heartbeat that it was to. */
  private goodAt = 0
  private answeredBeat = Number.NEGATIVE_INFINITY
  private notAllowed: string | undefined = undefined

  constructor(socket: Socket, coverage: Coverage, host: TrackerHost, owner: TrackerOwner) {
    this.host = host
    this.clock = host.clock
    this.owner = owner
    this.coverage = coverage
    this.login = new TrackingLogin(host.options, host.mustBe, coverage)
    this.connection = new SubscriberConnection(socket, this.login, this)
  }

  /** Of the server, '' until known, or where INFO is closed to us. */
  get runId(): string {
    return this.login.runId
  }

  /** The server's words when it will not track. */
  get refusal(): string | undefined {
    return this.login.refusal ?? this.notAllowed
  }

  close(why: string): void {
    this.connection.close(why)
  }

  /** Sends a heartbeat, unless one is under way. */
  beat(): void {
    if (this.asked || !this.connection.ready) return
    this.beatAt = this.clock.tick()
    this.asked = true
    this.connection.write([HEARTBEAT])
  }

  /** Called every BEAT milliseconds. `heldUp`: this process was, so what seems to be missing may just not be read yet. */
  tick(now: number, heldUp: boolean): void {
    const { connection } = this
    if (!connection.ready) {
      if (!heldUp && now - connection.since > this.host.options.timeouts.connect)
        this.close('timed out while connecting')
    } else if (!this.asked) {
      if (now - this.beatAt >= BEAT - EARLY) this.beat()
    } else if (!heldUp && now - this.beatAt > SILENT) {
      this.close(`no answer for ${SILENT} ms`)
    }
  }

  // What the connection reports.

  ready(): void {
    this.since = this.clock.now
    this.goodAt = this.since
    this.beat()
  }

  frame(type: number, buf: Buffer, start: number, end: number): void {
    if (type === PUSH) {
      readPush(buf, start, end, this.owner)
      return
    }
    if (!this.asked) throw new BadReply('a reply that nobody asked for')
    this.asked = false
    if (type === ERROR) {
      this.failed(buf.toString('latin1', start + 1, end - 2))
      return
    }
    const wrong = notAsOrdered(Buffer.from(buf.subarray(start, end)), this.coverage)
    if (wrong === undefined) this.answered()
    else this.close(wrong)
  }

  private answered(): void {
    this.goodAt = this.clock.now
    this.delay = this.goodAt - this.beatAt
    this.answeredBeat = this.beatAt
    // Once all that came with it has been handed on.
    if (!this.dirty) this.host.turn.add(this)
  }

  /** The server does not say what it was asked. */
  private failed(error: string): void {
    if (error.startsWith('NOPERM')) {
      this.notAllowed = error
      this.close(error)
    } else if (!isPassing(error) && this.clock.now - this.goodAt > SILENT) this.close(error)
  }

  flush(): void {
    this.dirty = false
    if (!this.connection.ready) return
    this.heardAt = this.answeredBeat
    this.owner.heard(this)
    if (this.clock.now - this.beatAt >= BEAT) this.beat()
  }

  closed(why: string): void {
    this.owner.closed(this, why)
  }

  fault(error: unknown): void {
    this.host.fault(error)
  }
}

const HEARTBEAT = encodeRequest(CHECK)
