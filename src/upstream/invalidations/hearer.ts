import { Coverage } from './coverage.ts'

/** The feed, as those who hear it see it. */
export interface HeardFeed {
  readonly heardAt: number
  readonly coverage: Coverage | undefined
  /** `hearer` wants to hear of these keys from now on, and of no others; undefined: of none. */
  want(hearer: Hearer, wanted: Coverage | undefined): void
}

/**
 * Somebody who wants to hear of writes to some keys. Several share the one feed of an upstream, which tells of the keys that any of them
 * wants; each has epochs of its own, so what others want, and when, ends nobody else's.
 *
 * What is behind a key may be kept by who fetched it in the present `epoch`, while `covers` the key: from then on, each write up to
 * `heardAt` has been handed on.
 */
export class Hearer {
  /** Raised when reports may have been missed, and again when nothing is missed any more: nothing of in between counts. */
  epoch = 0
  /** Gets each raw key that was written, wanted or not, valid during the call only. */
  onInvalidated: (rawKey: Buffer) => void = NOTHING
  /** All keys may have changed (FLUSHALL, or FLUSHDB of any database); the epoch has risen, too. */
  onEverything: () => void = NOTHING
  /** Nothing is heard any more; the epoch has risen, too. */
  onLost: () => void = NOTHING
  /** For the feed: what it wants. */
  wanted: Coverage | undefined = undefined
  /** For the feed: keys were covered in this epoch that are not any more. */
  shrunk = false
  private readonly feed: HeardFeed

  constructor(feed: HeardFeed) {
    this.feed = feed
  }

  /**
   * From now on, writes to raw keys with these prefixes (one character per byte) are wanted; none: it does not want to hear.
   * What was covered before and is wanted still stays so. What is new is covered a few round trips later: see `covers`.
   */
  track(prefixes: readonly string[]): void {
    this.feed.want(this, prefixes.length === 0 ? undefined : new Coverage(prefixes))
  }

  /** Clock milliseconds: every covered key that was written before has been handed to `onInvalidated`. -Infinity: nothing is heard. */
  get heardAt(): number {
    return this.wanted === undefined ? Number.NEGATIVE_INFINITY : this.feed.heardAt
  }

  /** The keys whose writes are told of now; undefined: none. */
  get coverage(): Coverage | undefined {
    return this.feed.coverage
  }

  /** Is a write to this raw key told of now? What was fetched while it was not must not be kept. */
  covers(buf: Buffer, start: number, end: number): boolean {
    return this.feed.coverage?.has(buf, start, end) === true
  }

  /** Takes the place of `elder`, for whose epochs nothing here may be taken. */
  succeed(elder: Hearer): void {
    this.epoch = elder.epoch + 1
  }

  /** For the feed: one epoch ends. */
  raise(): void {
    this.shrunk = false
    this.epoch++
  }
}

const NOTHING = (): void => {}
