/**
 * Monotonic milliseconds, read once per socket event instead of once per request: `now` is as old as the event
 * being handled, which is exact enough for time-outs and latency histograms.
 */
export class Clock {
  now = performance.now()

  tick(): number {
    this.now = performance.now()
    return this.now
  }
}
