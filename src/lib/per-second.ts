/** At most so many of something in a second: seconds are counted from the first one in each. */
export class PerSecond {
  private readonly most: number
  private begun = Number.NEGATIVE_INFINITY
  private taken = 0

  constructor(most: number) {
    this.most = most
  }

  /** One more; false: there were enough. `now`: clock milliseconds. */
  take(now: number): boolean {
    if (now - this.begun >= 1000) {
      this.begun = now
      this.taken = 0
    }
    if (this.taken >= this.most) return false
    this.taken++
    return true
  }
}
