import { Backoff } from '../../lib/backoff.ts'

/** Delays of reconnects, and of further attempts at a server that will not track, milliseconds. */
const RECONNECT = { first: 50, most: 2000 } as const
const REFUSED = { first: 2000, most: 60_000 } as const

/** Runs fn after `delay` milliseconds, or earlier when the server turns out to be back. */
type Later = (delay: number, fn: () => void) => void

/** When to connect again. Each plan takes the place of the one before. */
export class Redial {
  private readonly dial: () => void
  private readonly later: Later
  private readonly soon = new Backoff(RECONNECT.first, RECONNECT.most)
  private readonly slow = new Backoff(REFUSED.first, REFUSED.most)
  /** Number of the newest plan. */
  private plan = 0

  constructor(dial: () => void, later: Later) {
    this.dial = dial
    this.later = later
  }

  /** There is nothing to wait for any more. */
  cancel(): void {
    this.plan++
  }

  /** `refused`: by the server's own words, which will hardly change soon. */
  again(refused = false): void {
    this.later((refused ? this.slow : this.soon).next(), this.planned())
  }

  /** Not at once: who says that the primary moved has not told yet where it is. */
  anew(): void {
    this.soon.reset()
    setImmediate(this.planned())
  }

  /** A connection has proved to be good. */
  steady(): void {
    this.soon.reset()
    this.slow.reset()
  }

  private planned(): () => void {
    const plan = ++this.plan
    return () => {
      if (plan === this.plan) this.dial()
    }
  }
}
