import type { SentinelAnswer } from './sentinel-answer.ts'

/** A sentinel that told of a failover; its newest answer. */
export interface Teller {
  readonly answer: SentinelAnswer | undefined
}

/**
 * Milliseconds for which the others may go on naming the old primary after the one that told of a failover has fallen silent
 * or says that it is over: sentinels hear of a new primary from each other, every two seconds.
 */
const HEARSAY = 3000

/**
 * Who told of a failover of the primary, and whether all of them have taken it back. Only then may writes go to the old
 * primary again: its replica may have been promoted without the majority knowing yet.
 */
export class FailoverWatch<T extends Teller> {
  private readonly told = new Map<T, { readonly at: number; overSince: number | undefined }>()

  get quiet(): boolean {
    return this.told.size === 0
  }

  /** `at`: clock time; answers to what was asked before, or in the same moment, prove nothing. */
  tell(teller: T, at: number): void {
    this.told.set(teller, { at, overSince: undefined })
  }

  knows(teller: T): boolean {
    return this.told.has(teller)
  }

  /** It has called its failover off itself. */
  takeBack(teller: T): void {
    this.told.delete(teller)
  }

  clear(): void {
    this.told.clear()
  }

  /**
   * Removes those that have taken it back. `names(answer)` whether that answer names the primary, `leads` whether it is the one of
   * a sentinel that goes on with the failover. `agreed`: a majority names the primary.
   */
  review(agreed: boolean, now: number, names: Judge, leads: Judge): void {
    for (const [teller, it] of this.told) {
      const { answer } = teller
      const fresh = answer !== undefined && answer.askedAt > it.at
      if (fresh && leads(answer)) it.overSince = undefined
      else if (fresh && names(answer)) this.told.delete(teller)
      else {
        it.overSince ??= now
        if (agreed && now - it.overSince > HEARSAY) this.told.delete(teller)
      }
    }
  }
}

type Judge = (answer: SentinelAnswer) => boolean
