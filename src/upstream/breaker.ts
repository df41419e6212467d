import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'
import type { BreakerOptions } from './options.ts'
import type { FactsLog } from './server-facts.ts'

/** What the breaker borrows from its node. */
export interface BreakerHost {
  readonly log: FactsLog
  /** Clock milliseconds. */
  now(): number
}

/** For metrics. */
export interface BreakerView {
  readonly state: 'closed' | 'open' | 'half-open'
  /** How often it left `closed`; a probe that fails is no new time. */
  readonly openedTimes: number
  /** Milliseconds since it left `closed`; 0 while closed. */
  readonly openFor: number
  /** Outcomes within `window`, and the bad ones' share of them, 0 to 1. Not counted on while open. */
  readonly outcomes: number
  readonly rate: number
}

/** The window moves on in so many steps: it is exact to a tenth. */
const SLICES = 10
/** Milliseconds. What happens at once to many connections is one fact: of each kind one outcome in this time counts. */
const ONE_FACT = 100
/** A stack would tell nothing: whoever reports an outcome has logged its cause. */
const BAD = Object.assign(new Error('bad outcome'), { stack: undefined })

/**
 * Says when a server is so bad that trying it, or waiting for it, is of no use. The statistics and the states are
 * opossum's; what goes through it is not the requests but the outcomes of connects, of probes and of batches, told
 * afterwards, so that the path of a command reads one field and knows no promise. https://nodeshift.dev/opossum/
 *
 * Closed until at least `errors` of the outcomes within `window`, and at least `volume` outcomes, were bad. Then open
 * for `probe` milliseconds. Then half-open: one try is let through (`takeProbe`), and the first outcome closes or opens
 * it again. Outcomes told while it is open do not count.
 */
export class Breaker {
  /** Not closed: from opening until an outcome in half-open, or a reset, has closed it. What the hot path reads. */
  opened = false
  private readonly upstream: string
  private readonly host: BreakerHost
  private readonly patience: number
  private readonly slice: number
  private readonly circuit: CircuitBreaker<[good: boolean], void>
  /**
   * Moves opossum's window. Told by our clock before each look at the window, it needs no timer, and it can forget
   * the whole window, for which opossum has no call: what was before a server came back says nothing of it now.
   */
  private readonly window = new EventEmitter()
  /** Clock time at which the newest slice of the window began. */
  private sliceBegan: number
  private lastGood = Number.NEGATIVE_INFINITY
  private lastBad = Number.NEGATIVE_INFINITY
  /** Clock time of the try that was let through in half-open; undefined: none since. */
  private probedAt: number | undefined
  private openedAt = 0
  private openedTimes = 0
  private stopped = false

  /** `patience`: milliseconds after which a probe that was taken and has no outcome is given up; another may go then. */
  constructor(upstream: string, options: BreakerOptions, host: BreakerHost, patience: number) {
    this.upstream = upstream
    this.host = host
    this.patience = patience
    this.slice = options.window / SLICES
    this.sliceBegan = host.now()
    this.circuit = new CircuitBreaker(outcome, {
      name: upstream,
      // Its comparison is "more than"; ours is "at least".
      errorThresholdPercentage: options.errors * 100 - 1e-6,
      volumeThreshold: options.volume,
      rollingCountTimeout: options.window,
      rollingCountBuckets: SLICES,
      rotateBucketController: this.window,
      // Unref'ed by opossum, as the only timer that is left with the settings here.
      resetTimeout: options.probe,
      timeout: false,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    })
    this.circuit.on('open', () => this.onOpen())
    this.circuit.on('halfOpen', () => {
      this.probedAt = undefined
    })
    this.circuit.on('close', () => this.onClose())
  }

  /** A connect, a probe or a batch of requests went well. */
  succeeded(): void {
    const now = this.host.now()
    // In half-open every outcome decides, so none of them is left out.
    if (!this.opened && now - this.lastGood < ONE_FACT) return
    this.lastGood = now
    this.tell(true)
  }

  /** A connect failed, a connection was lost, a request or a probe timed out. */
  failed(): void {
    const now = this.host.now()
    if (!this.opened && now - this.lastBad < ONE_FACT) return
    this.lastBad = now
    this.tell(false)
  }

  /** Whether somebody may try the server now: always while closed, once in half-open. */
  get mayProbe(): boolean {
    if (!this.opened) return true
    if (!this.circuit.halfOpen) return false
    return this.probedAt === undefined || this.host.now() - this.probedAt >= this.patience
  }

  /** Takes the one try that half-open allows; its outcome is to be told. False: not now. */
  takeProbe(): boolean {
    if (!this.mayProbe) return false
    if (this.opened) this.probedAt = this.host.now()
    return true
  }

  /** It is another server from now on: closed, and everything forgotten. */
  reset(): void {
    if (this.stopped) return
    this.circuit.close()
    this.forget()
  }

  view(): BreakerView {
    this.advance()
    const { fires, failures } = this.circuit.stats
    return {
      state: this.circuit.halfOpen ? 'half-open' : this.opened ? 'open' : 'closed',
      openedTimes: this.openedTimes,
      openFor: this.opened ? this.host.now() - this.openedAt : 0,
      outcomes: fires,
      rate: fires === 0 ? 0 : failures / fires,
    }
  }

  /** No timer is left. Outcomes told from now on do nothing. */
  stop(): void {
    this.stopped = true
    this.circuit.shutdown()
  }

  private tell(good: boolean): void {
    // opossum would count what comes while it is open as an outcome that is neither good nor bad, and thin out the rate.
    if (this.stopped || this.circuit.opened) return
    this.advance()
    this.circuit.fire(good).catch(ignore)
  }

  private onOpen(): void {
    if (this.opened) return
    this.opened = true
    this.openedTimes++
    this.openedAt = this.host.now()
    const { outcomes, rate } = this.view()
    this.host.log.warn(
      { upstream: this.upstream, outcomes, bad: `${Math.round(rate * 100)}%` },
      'breaker opened: who has waited for this server for long enough does not wait on, until a probe succeeds',
    )
  }

  private onClose(): void {
    this.opened = false
    this.probedAt = undefined
    this.forget()
    const after = Math.round(this.host.now() - this.openedAt)
    this.host.log.info({ upstream: this.upstream, after }, 'breaker closed')
  }

  private advance(): void {
    const slices = Math.floor((this.host.now() - this.sliceBegan) / this.slice)
    if (slices <= 0) return
    this.sliceBegan += slices * this.slice
    for (let i = Math.min(slices, SLICES); i > 0; i--) this.window.emit('rotate')
  }

  private forget(): void {
    for (let i = 0; i < SLICES; i++) this.window.emit('rotate')
    this.sliceBegan = this.host.now()
    this.lastGood = Number.NEGATIVE_INFINITY
    this.lastBad = Number.NEGATIVE_INFINITY
  }
}

/** What opossum guards: it does nothing but end the way that it is told. */
function outcome(good: boolean): Promise<void> {
  return good ? Promise.resolve() : Promise.reject(BAD)
}

/** The outcome was ours; opossum's word on it comes by its events. */
function ignore(): void {}
