/** Milliseconds without requests after an answer that says that nothing can be executed. */
const QUIET = 100
/** For so many milliseconds a replica is believed that it is meant to be one; then it is asked again. */
const REPLICA_BELIEVED = 5000

/**
 * What to make of answers that say that the server cannot execute anything now. A standalone server that was never seen as
 * a primary and says READONLY is a replica because somebody wants it so: that is passed on. One that was a primary
 * has been demoted, and its name will lead to the new primary, soon or late.
 */
export class Doubt {
  /** Seen as a primary since the start, or since it was given up as one. */
  wasPrimary = false
  /** It has said since the last verdict that it is no primary. */
  refused = false
  /** Clock time until which READONLY is believed. */
  private believedUntil = 0
  /** Clock time until which nothing goes out, because the server said a moment ago that it cannot execute anything. */
  private quietUntil = 0

  quiet(now: number): boolean {
    return now < this.quietUntil
  }

  /** What an error reply says of the server: `new` doubt, doubt that is `known` already, or none. */
  judge(error: string, now: number): 'new' | 'known' | 'none' {
    const kind = /^-(READONLY|LOADING|MASTERDOWN|NOAUTH) /.exec(error)?.[1]
    // NOAUTH: the password was changed; a new lane will log in with ours, or tell that it cannot.
    if (kind === undefined) return 'none'
    if (kind === 'READONLY' || kind === 'MASTERDOWN') {
      if (now < this.believedUntil) return 'none'
      this.refused = true
    }
    if (now < this.quietUntil) return 'known'
    this.quietUntil = now + QUIET
    return 'new'
  }

  /** A fresh connection is at a primary. */
  primary(): void {
    this.wasPrimary = true
    this.refused = false
    this.believedUntil = 0
  }

  /** A fresh connection is at a replica, and that is meant to be so. */
  replica(now: number): void {
    this.wasPrimary = false
    this.refused = false
    this.believedUntil = now + REPLICA_BELIEVED
  }
}
