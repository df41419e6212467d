import { MOST } from './admission.ts'

/** Ranks of one frequency: not used of late, and used. */
export const RANKS = 2

/**
 * Of entries that have to make room, which ones stay: those that are asked for most often, and of equals, those that were
 * used since they were here before. Used over and over.
 */
export class Survivors {
  /** By rank. */
  private readonly weights = new Float64Array(RANKS * (MOST + 1))
  /** All that go have at most this rank. */
  last = 0
  /** Of those that have it, how much has still to go. */
  private excess = 0

  begin(): void {
    this.weights.fill(0)
  }

  /** One that could stay. `frequency`: 1 to MOST. */
  add(frequency: number, used: boolean, weight: number): void {
    this.weights[rankOf(frequency, used)] += weight
  }

  /** No more than `room` of all weight stays, but nobody goes who is asked for as often as `frequency`. */
  limit(room: number, frequency: number): void {
    let left = room
    let last = this.weights.length - 1
    while (last > 0 && this.weights[last] <= left) left -= this.weights[last--]
    this.last = last
    this.excess = this.weights[last] - left
    if (last < RANKS * frequency) return
    this.last = RANKS * frequency - 1
    this.excess = Number.POSITIVE_INFINITY
  }

  /** All that go are asked for at most so often; 0: none has to go. */
  get bar(): number {
    return Math.floor(this.last / RANKS)
  }

  /** To be asked once for each, in their order: of equals, those that came last stay. */
  stays(frequency: number, used: boolean, weight: number): boolean {
    const rank = rankOf(frequency, used)
    if (rank !== this.last) return rank > this.last
    if (this.excess <= 0) return true
    this.excess -= weight
    return false
  }
}

function rankOf(frequency: number, used: boolean): number {
  return RANKS * frequency + (used ? 1 : 0)
}
