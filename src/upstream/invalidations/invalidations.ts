import type { Socket } from 'node:net'
import type { FactsLog } from '../server-facts.ts'
import { type Coverage, unionOf } from './coverage.ts'
import { FeedNews } from './feed-news.ts'
import { type HeardFeed, Hearer } from './hearer.ts'
import { Redial } from './redial.ts'
import { BEAT, Tracker, type TrackerHost, type TrackerOwner } from './tracker.ts'

/** Milliseconds after which a connection counts as a good one, or one to another server than the lanes' as a wrong one. */
const STEADY = 1000
/** Milliseconds between two ticks above which this process was held up. */
const HELD_UP = 1000

/** What the feed asks of its node. */
export interface InvalidationsHost extends TrackerHost {
  readonly log: FactsLog
  /** run_id of the server that the lanes talk to, '' until known. */
  readonly runId: string
  /** Opens a socket to the server of the day; undefined: nobody knows where it is. */
  connect(): Socket | undefined
  /** Runs fn after `delay` milliseconds, or when the server is back. */
  later(delay: number, fn: () => void): void
}

/**
 * What the primary of the day tells of writes to keys, on one connection in broadcasting mode. It is there while somebody wants to hear
 * of any key, and made again whenever it is lost or its server is another one. When it is to tell of other keys than before, a second
 * one is made, and takes its place once all that the first had to tell is known to have come. Whoever wants to hear has a Hearer.
 */
export class Invalidations implements TrackerOwner, HeardFeed {
  /** Clock milliseconds: every covered key that was written before has been handed on. -Infinity: nothing is heard. */
  heardAt = Number.NEGATIVE_INFINITY
  /** In the order in which they are told. */
  private readonly hearers: Hearer[] = []
  private readonly host: InvalidationsHost
  private readonly redial: Redial
  private timer: NodeJS.Timeout | undefined
  private tickedAt = 0
  private wanted: Coverage | undefined = undefined
  private current: Tracker | undefined = undefined
  /** To take the place of `current`. */
  private next: Tracker | undefined = undefined
  /** `current` tells of all that it covers. */
  private covering = false
  private stopped = false
  private readonly news: FeedNews
  private readonly counts = { invalidations: 0, flushes: 0, reconnects: 0 }

  constructor(host: InvalidationsHost) {
    this.host = host
    this.news = new FeedNews(host.options.name, host.log)
    this.redial = new Redial(
      () => this.dial(),
      (delay, fn) => host.later(delay, fn),
    )
  }

  /** Who calls it is told from now on of the keys that it wants, behind those who called before. */
  hear(): Hearer {
    const hearer = new Hearer(this)
    this.hearers.push(hearer)
    return hearer
  }

  want(hearer: Hearer, wanted: Coverage | undefined): void {
    if (this.stopped) return
    const before = hearer.wanted
    if (before === wanted || (before !== undefined && wanted !== undefined && before.equals(wanted))) return
    hearer.wanted = wanted
    const all = unionOf(this.hearers.map((one) => one.wanted))
    if (all === undefined) {
      this.wanted = undefined
      clearInterval(this.timer)
      this.leave('nobody wants to hear')
      return
    }
    // What was fetched while it was covered the last time knows nothing of since.
    if (wanted === undefined || (hearer.shrunk && this.current?.coverage.covers(wanted) !== true)) hearer.raise()
    if (this.wanted?.equals(all) === true) return
    if (this.wanted === undefined) this.listen()
    this.wanted = all
    this.drop('next', REPLACED)
    if (!this.covering) this.drop('current', REPLACED)
    this.dial()
  }

  /** The keys whose writes are told of now; undefined: none. */
  get coverage(): Coverage | undefined {
    return this.covering ? this.current?.coverage : undefined
  }

  /** The primary is about to be another server. */
  move(): void {
    if (this.stopped || this.wanted === undefined) return
    this.leave('the primary moved')
    this.redial.anew()
  }

  /** The lanes have found that their server is another process than before. */
  another(): void {
    const { current } = this
    if (current === undefined) return
    if (!this.fits(current)) {
      if (!this.covering) return
      this.leave(ELSEWHERE)
      this.redial.anew()
    } else if (!this.covering) this.begin(current)
  }

  stop(): void {
    this.stopped = true
    this.wanted = undefined
    clearInterval(this.timer)
    this.leave('Keyward stops')
  }

  /** Milliseconds. `prefixes`: how many the server was told; 0: it tells of all keys. */
  view() {
    const { invalidations, flushes, reconnects } = this.counts
    const { refusal, refusals } = this.news
    return {
      wanted: this.wanted !== undefined,
      connected: this.covering,
      prefixes: this.coverage?.prefixes.length ?? 0,
      invalidations,
      flushes,
      /** Lost connections that had told of writes. */
      reconnects,
      /** How often a server would not track. */
      refusals,
      /** From the newest heartbeat that was answered to its answer. */
      delay: this.covering ? this.current?.delay : undefined,
      refusal,
    }
  }

  // Its connections.

  private listen(): void {
    this.tickedAt = this.host.clock.tick()
    this.timer = setInterval(() => this.tick(), BEAT)
    this.timer.unref()
  }

  /** A connection for what is wanted, unless there is one, or one on its way. */
  private dial(): void {
    this.redial.cancel()
    const { current, host, next, wanted } = this
    if (this.stopped || wanted === undefined || next !== undefined || current?.coverage.equals(wanted) === true) return
    const socket = host.connect()
    if (socket === undefined) {
      this.redial.again()
      return
    }
    const tracker = new Tracker(socket, wanted, host, this)
    if (current === undefined) this.current = tracker
    else this.next = tracker
  }

  private drop(which: 'current' | 'next', why: string): void {
    const tracker = this[which]
    // What it reports from now on concerns nobody.
    this[which] = undefined
    tracker?.close(why)
  }

  private leave(why: string): void {
    this.lose()
    this.drop('next', why)
    this.drop('current', why)
  }

  /** Nothing is heard any more. */
  private lose(): void {
    this.heardAt = Number.NEGATIVE_INFINITY
    if (!this.covering) return
    this.covering = false
    this.raise()
    for (const hearer of this.hearers) hearer.onLost()
  }

  private raise(): void {
    for (const hearer of this.hearers) hearer.raise()
  }

  /** Is it at the server that fetches go to? Where INFO is closed to us, nobody can know. */
  private fits({ runId }: Tracker): boolean {
    const lanes = this.host.runId
    return runId === lanes || runId === '' || lanes === ''
  }

  /** `current` has been heard, perhaps: another epoch begins. */
  private begin(current: Tracker): void {
    if (current.heardAt === Number.NEGATIVE_INFINITY || !this.fits(current)) return
    this.raise()
    this.covering = true
    this.heardAt = current.heardAt
    this.news.heard()
  }

  /**
   * `next` takes the place of `current` when that has answered a heartbeat of after `next` tracked: all older writes have been handed
   * on then, and `next` tells of the newer ones.
   */
  private change(): void {
    const { current, next } = this
    if (current === undefined || next === undefined || next.heardAt === Number.NEGATIVE_INFINITY) return
    if (!this.fits(next)) {
      this.drop('next', ELSEWHERE)
      this.redial.again()
      return
    }
    if (current.heardAt <= next.since) {
      current.beat()
      return
    }
    this.heardAt = Math.max(this.heardAt, next.heardAt)
    const shrinks = !next.coverage.covers(current.coverage)
    for (const hearer of this.hearers) {
      if (shrinks) hearer.shrunk = true
      // What was asked for before its key was covered may come only now. Who wants nothing new is not concerned.
      if (hearer.wanted !== undefined && !current.coverage.covers(hearer.wanted)) hearer.raise()
    }
    this.drop('current', REPLACED)
    this.current = next
    this.next = undefined
  }

  // What the connections report.

  invalidated(rawKey: Buffer): void {
    this.counts.invalidations++
    const { hearers } = this
    for (let i = 0; i < hearers.length; i++) hearers[i].onInvalidated(rawKey)
  }

  everything(): void {
    this.counts.flushes++
    this.raise()
    for (const hearer of this.hearers) hearer.onEverything()
  }

  heard(tracker: Tracker): void {
    if (tracker === this.current) {
      if (this.covering) this.heardAt = Math.max(this.heardAt, tracker.heardAt)
      else this.begin(tracker)
    }
    this.change()
  }

  closed(tracker: Tracker, why: string): void {
    if (tracker === this.next) this.next = undefined
    else if (tracker === this.current) this.lost(why)
    else return
    const { refusal } = tracker
    if (refusal !== undefined) this.news.refused(refusal)
    this.redial.again(refusal !== undefined)
  }

  private lost(why: string): void {
    if (this.covering) {
      this.counts.reconnects++
      this.news.lost(why, this.host.clock.now)
    }
    this.lose()
    this.current = this.next
    this.next = undefined
    if (this.current !== undefined) this.begin(this.current)
  }

  private tick(): void {
    const now = this.host.clock.tick()
    const heldUp = now - this.tickedAt > HELD_UP
    this.tickedAt = now
    this.current?.tick(now, heldUp)
    this.next?.tick(now, heldUp)
    const { current } = this
    if (current === undefined || now - current.since < STEADY) return
    if (this.covering) this.redial.steady()
    else if (!this.fits(current)) {
      // The lanes have had the time to follow.
      current.close(ELSEWHERE)
    }
  }
}

const REPLACED = 'replaced'
const ELSEWHERE = 'the lanes are at another server'
