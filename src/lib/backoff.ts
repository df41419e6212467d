/** Delays of reconnects: doubling from `first` to `most` milliseconds, each with equal jitter (half fixed, half random). */
export class Backoff {
  private readonly first: number
  private readonly most: number
  private readonly random: () => number
  private failures = 0

  constructor(first: number, most: number, random: () => number = Math.random) {
    this.first = first
    this.most = most
    this.random = random
  }

  next(): number {
    const full = Math.min(this.most, this.first * 2 ** Math.min(this.failures++, 30))
    return full / 2 + (full / 2) * this.random()
  }

  reset(): void {
    this.failures = 0
  }
}
