/** Milliseconds by which use is averaged when it falls; when it rises, it counts at once. */
const MEMORY = 150
/** A shorter time says nothing about use, in milliseconds. */
const SHORTEST = 25

/** How much of something is used, of late. */
export class RecentUse {
  /** Since it was last averaged; whoever uses adds to it. */
  demand = 0
  private since = 0
  private perMs = 0

  /** Per millisecond. */
  average(now: number): number {
    const time = now - this.since
    if (time < SHORTEST) return this.perMs
    const latest = this.demand / time
    this.perMs = latest > this.perMs ? latest : latest + (this.perMs - latest) * Math.exp(-time / MEMORY)
    this.demand = 0
    this.since = now
    return this.perMs
  }
}
