import type { Clock } from '../lib/clock.ts'
import { Breaker } from './breaker.ts'
import type { UpstreamOptions } from './options.ts'
import type { FactsLog } from './server-facts.ts'

/** Milliseconds between two lines about lost connections, and between two that say that it is still so. */
const SAY_LOST = 10_000
const SAY_STILL = 60_000

/** Since when a node can or cannot be used, and whether waiting for it is of any use. */
export class Availability {
  /** Clock time since which no lane is ready; undefined while one is. */
  downSince: number | undefined
  everUp = false
  /** Lost connections. */
  reconnects = 0
  /** The breaker is open, and the trouble is older than a request may be held and than what the breaker judges by: waiting is vain. */
  failsFast = false
  readonly breaker: Breaker
  private readonly options: UpstreamOptions
  private readonly clock: Clock
  private readonly log: FactsLog
  private lastWhy = ''
  private saidAt = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions, clock: Clock, log: FactsLog) {
    this.options = options
    this.clock = clock
    this.log = log
    this.downSince = clock.now
    const host = { log, now: () => clock.now }
    this.breaker = new Breaker(options.name, options.breaker, host, options.timeouts.connect)
  }

  /** A connection is ready. True: it is the first one after a time without any. */
  connected(): boolean {
    this.breaker.succeeded()
    if (this.downSince === undefined) return false
    this.downSince = undefined
    this.everUp = true
    this.failsFast = false
    return true
  }

  /** A connection was lost, or did not come about (`!wasReady`). */
  closed(why: string, wasReady: boolean): void {
    this.lastWhy = why
    if (wasReady) this.reconnects++
    else this.breaker.failed()
  }

  /** The last ready lane is gone. `wanted`: because we wanted it so. */
  down(why: string, wanted: boolean): void {
    this.lastWhy = why
    if (this.downSince !== undefined) return
    const { now } = this.clock
    this.downSince = now
    if (wanted || now - this.saidAt <= SAY_LOST) return
    this.log.warn({ upstream: this.options.name, why }, 'upstream connections lost')
    this.saidAt = now
  }

  /** Called ten times a second. `now`: clock time; `timedOut`: some connection does not answer in time; `heard`: some reply came. */
  tick(now: number, timedOut: boolean, heard: boolean): void {
    if (timedOut) this.breaker.failed()
    else if (heard) this.breaker.succeeded()
    const { openFor } = this.breaker.opened ? this.breaker.view() : CLOSED
    const trouble = this.downSince === undefined ? openFor : Math.max(openFor, now - this.downSince)
    const { breaker, hold } = this.options
    this.failsFast = this.breaker.opened && trouble >= Math.max(hold.time, breaker.window)
    // Not before an attempt has failed: at a start, the first connection may still be on its way.
    if (this.downSince !== undefined && this.lastWhy !== '' && now - this.saidAt > SAY_STILL) {
      this.saidAt = now
      this.log.warn({ upstream: this.options.name, why: this.lastWhy }, 'upstream is not usable; trying on')
    }
  }
}

const CLOSED = { openFor: 0 }
