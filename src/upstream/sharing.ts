import type { FairQueue } from './fair-queue.ts'
import type { FairnessOptions } from './options.ts'

/** Bytes of requests that may be sent and unanswered on one connection. */
export const WINDOW = 1024 * 1024

/** Milliseconds for which a server counts as shared after requests of two tenants have followed each other. */
const SHARED_FOR = 10_000

/** Round trip, in milliseconds, up to which `fairness.window` holds as it is. */
const NEAR = 0.5

/** A request costs the server at least as much as so many bytes: of smaller ones, no more than of such are in flight. */
const LEAST = 128

/** Milliseconds for which a round trip is believed, and how many it takes to believe one: most are too long, none too short. */
const MEASURE = 10_000
const SAMPLES = 8

/** Milliseconds between two looks at the queues, and for which at least their lengths are remembered. */
const LOOK = 10
const REMEMBER = 10_000

/** What a tenant had waiting; `rounds`: how often somebody else waited, too. The most of each that was seen. */
interface Waited {
  readonly tenant: number
  rounds: number
  requests: number
  bytes: number
}

/**
 * Whether several tenants use the lanes to one server, and how much may then be in flight on each. Tenants take turns only
 * where the queue is ours: what is in a socket goes in its order. So while they share, little is in flight, and the rest
 * waits in fair queues. How little depends on the round trip: to a distant server the line has to be full, or it is idle.
 */
export class Sharing {
  /** What may be in flight on one lane: bytes, and requests. */
  limit = WINDOW
  most = Number.POSITIVE_INFINITY
  /** Of the exchange that was scheduled last; -1: there was none. */
  tenant = -1
  private changed = false
  private until = 0
  /** The shortest since `measuredAt`, and of the time before. */
  private rtt = Number.POSITIVE_INFINITY
  private rttBefore = Number.POSITIVE_INFINITY
  private measuredAt = Number.NEGATIVE_INFINITY
  private samples = 0
  private epoch = 0
  private readonly window: number
  private rounds = 0
  private lookedAt = 0
  /** By tenant, since `since` and before that. As many as tenants have waited in REMEMBER milliseconds. */
  private seen = new Map<number, Waited>()
  private seenBefore = new Map<number, Waited>()
  private since = 0

  constructor({ window }: FairnessOptions) {
    this.window = window
  }

  /** Something of another tenant than the last one was scheduled. Keyward's own requests (-1) make nobody share. */
  another(tenant: number): void {
    if (tenant < 0) return
    if (this.tenant >= 0) this.changed = true
    this.tenant = tenant
  }

  /** Whether tenants share at `now` (clock time); sets the limits. */
  judge(now: number): boolean {
    if (this.changed) {
      this.changed = false
      this.until = now + SHARED_FOR
    }
    const shared = now < this.until
    const rtt = Math.min(this.rtt, this.rttBefore)
    this.limit = shared ? Math.min(WINDOW, Math.round(this.window * Math.max(1, rtt / NEAR))) : WINDOW
    this.most = this.limit < WINDOW ? Math.ceil(this.limit / LEAST) : Number.POSITIVE_INFINITY
    return shared
  }

  /** The server answered after so many milliseconds; it had nothing else of that connection to do. `epoch`: of the connection. */
  answered(time: number, epoch: number, now: number): void {
    if (epoch < this.epoch) return
    if (epoch > this.epoch || now - this.measuredAt > MEASURE) {
      // The way may have become longer. That may be bad luck, so the best of the time before counts, too.
      this.rttBefore = epoch > this.epoch ? time : this.rtt
      this.rtt = time
      this.epoch = epoch
      this.measuredAt = now
      this.samples = 0
    } else if (time < this.rtt) {
      this.rtt = time
    }
    this.samples++
  }

  /** It is time to measure the round trip again, on a lane where nothing is under way; it is known once. */
  outdated(now: number): boolean {
    return now < this.until && (now - this.measuredAt > MEASURE || this.samples < SAMPLES)
  }

  /** Several tenants wait, and the next are chosen. */
  round(queue: FairQueue, now: number): void {
    this.rounds++
    if (now - this.lookedAt < LOOK) return
    this.lookedAt = now
    if (now - this.since > REMEMBER) {
      this.seenBefore = now - this.since > 2 * REMEMBER ? new Map() : this.seen
      this.seen = new Map()
      this.since = now
    }
    for (const { tenant, requests, bytes } of queue.lengths()) {
      const most = this.seen.get(tenant)
      if (most === undefined) {
        this.seen.set(tenant, { tenant, rounds: 1, requests, bytes })
        continue
      }
      most.rounds++
      if (requests > most.requests) most.requests = requests
      if (bytes > most.bytes) most.bytes = bytes
    }
  }

  /** `rounds` in which several tenants waited, since the start; what each had waiting at those of the last ten to twenty seconds. */
  view() {
    const waited = new Map([...this.seenBefore].map(([tenant, most]) => [tenant, { ...most }]))
    for (const { tenant, rounds, requests, bytes } of this.seen.values()) {
      const most = waited.get(tenant) ?? { tenant, rounds: 0, requests: 0, bytes: 0 }
      most.rounds += rounds
      most.requests = Math.max(most.requests, requests)
      most.bytes = Math.max(most.bytes, bytes)
      waited.set(tenant, most)
    }
    return { window: this.limit, rounds: this.rounds, waited: [...waited.values()] }
  }
}
