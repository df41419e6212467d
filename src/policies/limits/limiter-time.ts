import type { Clock } from '../../lib/clock.ts'

/** Milliseconds between two turns of the event loop from which the machine counts as paused. */
const PAUSE = 5000

/** Milliseconds between two looks when nothing else happens: without them, an idle process would count as paused. */
const BEAT = 1000

/**
 * The time by which buckets fill: the clock's, but it stands still while the machine is paused (stopped, suspended, swapped
 * out). What clients sent meanwhile arrives at once, and must not find the tokens of all that time.
 */
export class LimiterTime {
  readonly clock: Clock
  private last: number
  private lost = 0
  private readonly onPause: () => void
  private readonly timer: NodeJS.Timeout

  /** `onPause`: the machine was paused. */
  constructor(clock: Clock, onPause: () => void) {
    this.clock = clock
    this.last = clock.now
    this.onPause = onPause
    this.timer = setInterval(() => this.at(clock.tick()), BEAT)
    this.timer.unref()
  }

  /** As `now`, if the machine may have been paused since anybody looked. */
  reach(): number {
    return this.at(this.clock.now)
  }

  /** The limiter's time at clock time `now`. */
  at(now: number): number {
    if (now - this.last > PAUSE) {
      this.lost += now - this.last
      this.last = now
      this.onPause()
    }
    this.last = now
    return now - this.lost
  }

  /** The limiter's time as of the event that is being handled. */
  get now(): number {
    return this.clock.now - this.lost
  }

  stop(): void {
    clearInterval(this.timer)
  }
}
