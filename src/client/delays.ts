import type { Delay } from '../commands/delay.ts'
import { type Exchange, LEAST_PATIENCE } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'

/** The client, as the place needs it. */
export interface DelayedClient {
  readonly gone: boolean
  /** What held its oldest waiting request back may be over. */
  reopened(): void
}

/**
 * The place `delayed`: requests that a policy makes wait. Each stands in its client's own queue, so that the client's order
 * is kept, its later requests wait behind it, and nobody else's lane is held up.
 * Limit: `maxDelayed` of each rule for how many, its `maxDelay` for how long, `buffers.request` for their bytes.
 * Client leaves: dropped. Upstream leaves: nothing changes; they are held after their delay. Drain: they go on in their time.
 */
export class Delays {
  /** Requests in this place. */
  count = 0
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** x comes to stand in its client's queue. */
  enter(x: Exchange): void {
    x.moveTo('delayed')
    this.count++
  }

  /** x is the first in its client's queue: must it wait on? If so, the client is told when it need not. */
  holds(client: DelayedClient, x: Exchange, delay: Delay): boolean {
    const { now } = this.clock
    if (delay.refusal === undefined && delay.answer === undefined && delay.due > now) {
      delay.onSettled = () => client.reopened()
      if (delay.due < Number.POSITIVE_INFINITY && delay.arm()) this.wake(client, delay, delay.due - now)
      return true
    }
    if (delay.spends && delay.answer === undefined && !this.spend(x)) delay.error = 'UPSTREAMTIMEOUT'
    this.release(x, false)
    return false
  }

  /** x has waited for the upstream since it was received; false: for as long as it may. */
  private spend(x: Exchange): boolean {
    const left = x.patience - (this.clock.now - x.receivedAt)
    x.patience = Math.max(left, LEAST_PATIENCE)
    return left > 0
  }

  private wake(client: DelayedClient, delay: Delay, time: number): void {
    setTimeout(() => {
      this.clock.tick()
      delay.disarm()
      if (!client.gone) client.reopened()
    }, Math.ceil(time))
  }

  /** x waits no longer for its delay, if it did; `dropped`: nor for anything else. */
  release(x: Exchange, dropped: boolean): void {
    if (x.delay === undefined) return
    x.delay.end(dropped)
    x.delay = undefined
    if (x.place !== 'delayed') return
    this.count--
    x.moveTo('barrier')
  }
}
