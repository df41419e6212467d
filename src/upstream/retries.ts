/** What is tried again after a delay: lost lanes, pins and the subscriber, each with a backoff of its own. */
export class Retries {
  private readonly waiting = new Set<() => void>()
  private stopped = false

  /** Runs `fn` after `delay` milliseconds, or earlier when the server turns out to be back. */
  later(delay: number, fn: () => void): void {
    const once = () => {
      if (this.waiting.delete(once) && !this.stopped) fn()
    }
    this.waiting.add(once)
    setTimeout(once, delay).unref()
  }

  /** One connection came about: the others need not wait any longer. */
  hurry(): void {
    for (const once of [...this.waiting]) once()
  }

  stop(): void {
    this.stopped = true
    this.waiting.clear()
  }
}
