import type { Exchange } from '../commands/exchange.ts'

/** What Keyward has done of its own to end what blocks on one pin. */
export class Interruption {
  /** What is to be ended. */
  wanted: Exchange | undefined = undefined
  /**
   * CLIENT UNBLOCKs that may still have an effect here, or have had one that has not come. They outlive what they were sent for: a
   * suspension that is over by then, and a command that was answered in the usual way just before.
   */
  underWay = 0

  /** What another client of the tenant wants to be ended by an error. Only one of the two can have that effect, on the server. */
  claimed: Exchange | undefined = undefined

  /** Is this error to x ours? Then x took nothing, and its client does not hear of it. */
  ended(x: Exchange, error: string): boolean {
    if (this.underWay === 0 || !error.startsWith('-UNBLOCKED ')) return false
    if (this.claimed === x) {
      this.claimed = undefined
      return false
    }
    this.underWay--
    return true
  }
}
