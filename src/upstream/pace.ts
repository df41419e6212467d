/** Who waits for its turn, and how long the walk's last call took. */
interface Waiter {
  go(): void
}

/**
 * The pace of walks over the whole keyspace of one server (SCAN and what is made of it). A call of COUNT 1000 keeps
 * Redis from everything else for about 0.7 ms, so calls of walks go one at a time, those of several walks in turn, and
 * after each Redis is left alone for as long as `share` asks for: at 0.5 as long as the call took, queueing included,
 * which also makes walks slower when the server is busy.
 * Limit: one waiter for each job, of which a client has one.
 */
export class Pace {
  /** Of the time, 0 to 1; a reload replaces the node and its pace. */
  private readonly share: number
  private readonly waiting: Waiter[] = []
  private busy = false

  constructor(share: number) {
    this.share = share
  }

  get length(): number {
    return this.waiting.length
  }

  /** Makes the call when its turn has come. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.busy) await new Promise<void>((resolve) => this.waiting.push({ go: resolve }))
    this.busy = true
    const begun = performance.now()
    try {
      return await call()
    } finally {
      this.rest(performance.now() - begun)
    }
  }

  /** After a call that took so many milliseconds. */
  private rest(took: number): void {
    const pause = Math.min(took * (1 / this.share - 1), LONGEST_PAUSE)
    if (pause < SHORTEST_PAUSE) this.next()
    else setTimeout(() => this.next(), pause)
  }

  private next(): void {
    const waiter = this.waiting.shift()
    if (waiter === undefined) this.busy = false
    else waiter.go()
  }
}

/** Milliseconds. A call can take long because the upstream was away. */
const LONGEST_PAUSE = 100
/** Below this a timer would wait for far longer than was asked for. */
const SHORTEST_PAUSE = 0.2
