import type { SentinelAnswer } from './sentinel-answer.ts'

/** Milliseconds after the first majority: a sentinel that neither answers nor refuses must not keep all from starting. */
const PATIENCE = 1000

/** What is known of a sentinel's two connections. */
export interface Hearing {
  readonly answer: SentinelAnswer | undefined
  /** Its connection for questions was refused or lost. */
  readonly silent: boolean
  /** Clock time since which its events are heard; undefined: they are not. */
  readonly heardSince: number | undefined
  /** Its connection for events, or the subscription, was refused or lost. */
  readonly deaf: boolean
}

/**
 * When the first majority may be believed. It says who the primary is, but not that no failover of it has begun: that only
 * the leader knows, which may be the last to answer. So every sentinel is heard first that can be.
 */
export class FirstMove {
  private readonly wake: () => void
  private since: number | undefined
  private over = false
  private timer: NodeJS.Timeout | undefined

  /** `wake`: called when the patience has ended. */
  constructor(wake: () => void) {
    this.wake = wake
  }

  /** Asked whenever a majority names a primary. `now`: clock time. */
  due(sentinels: readonly Hearing[], now: number): boolean {
    if (this.over || sentinels.every(isHeardOut)) return true
    if (this.since === undefined) {
      this.since = now
      this.timer = setTimeout(() => {
        // Timers may be a fraction early by the clock.
        this.over = true
        this.wake()
      }, PATIENCE)
      this.timer.unref()
    }
    return now - this.since >= PATIENCE
  }

  end(): void {
    clearTimeout(this.timer)
  }
}

/** Nothing that it knows can be missed any more, or it cannot be asked. */
function isHeardOut({ answer, silent, heardSince, deaf }: Hearing): boolean {
  if (heardSince === undefined && !deaf) return false
  // What it announced between an answer of before and the subscription is in neither.
  return silent || (answer !== undefined && (heardSince === undefined || answer.askedAt >= heardSince))
}
