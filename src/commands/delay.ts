import type { ErrorCode } from '../errors.ts'

/** Tells a policy what a reply was. */
export interface Meter {
  /**
   * The whole reply has come: so many bytes of it, as the upstream or Keyward sent it. 0: there was none, but an error of
   * Keyward's own, as when the connection was lost.
   */
  replied(bytes: number): void
  /** Those that it consists of; itself, if it is one. */
  readonly parts: readonly Meter[]
}

/** Several of them. */
export class Meters implements Meter {
  readonly parts: readonly Meter[]

  constructor(parts: readonly Meter[]) {
    this.parts = parts
  }

  replied(bytes: number): void {
    for (const meter of this.parts) meter.replied(bytes)
  }
}

/**
 * Why an exchange has to wait before it goes anywhere: a policy said so. It is over at `due` (clock milliseconds), or,
 * where that is Infinity, when the policy settles it.
 */
export class Delay {
  due: number
  /** Set: the exchange is answered this error line (without `-` and CRLF) instead of being sent. */
  refusal: string | undefined = undefined
  /** Set: the exchange is answered these bytes, a whole reply, instead of being sent. */
  answer: Buffer | undefined = undefined
  /** Set: it is answered by this error of Keyward's own. */
  error: ErrorCode | undefined = undefined
  /** It waited for the upstream, so the time is part of the exchange's patience. */
  spends = false
  /** Somebody waits for settle(). */
  onSettled: (() => void) | undefined = undefined
  private readonly onEnd: (dropped: boolean) => void
  private ended = false
  private armed = false

  /** `onEnd`: called once, when the exchange has stopped waiting; `dropped`: it will never be sent. */
  constructor(due: number, onEnd: (dropped: boolean) => void) {
    this.due = due
    this.onEnd = onEnd
  }

  /** From the policy: it goes on at `due`, or is refused. */
  settle(due: number, refusal?: string): void {
    this.due = due
    this.refusal = refusal
    this.armed = false
    this.onSettled?.()
  }

  /**
   * From the policy: it is answered by `reply`, which never changes; undefined: it goes on, now. `spends`: then with what is left of
   * its patience.
   */
  resolve(reply: Buffer | undefined, spends = false): void {
    this.answer = reply
    this.spends = spends
    this.settle(Number.NEGATIVE_INFINITY)
  }

  /** From the place `delayed`: a timer is about to be set for `due`. False: there is one. */
  arm(): boolean {
    if (this.armed) return false
    this.armed = true
    return true
  }

  /** The timer has gone off, if perhaps a little early. */
  disarm(): void {
    this.armed = false
  }

  /** From the place `delayed`: the exchange has left it, or its client has. */
  end(dropped: boolean): void {
    if (this.ended) return
    this.ended = true
    this.onEnd(dropped)
  }

  /** Nobody waits any more. */
  get over(): boolean {
    return this.ended
  }
}
