/** Who waits for its turn. */
interface Waiter {
  go(): void
}

/**
 * The pace of walks over the whole keyspace of one server (SCAN and what is made of it). A call of COUNT 1000 keeps
 * Redis from everything else for about 0.7 ms, so calls of walks go one at a time, those of several tenants in turn
 * however many of them each has waiting, and after each Redis is left alone for as long as `share` asks for: at 0.5 as long as the call took, queueing included,
 * which also makes walks slower when the server is busy.
 * Limit: one waiter for each job, of which a client has one.
 */
export class Pace {
  /** Of the time, 0 to 1; a reload replaces the node and its pace. */
  private readonly share: number
  /** By tenant; the first tenant's first one is next, then its others wait behind the other tenants'. */
  private readonly waiting = new Map<number, Waiter[]>()
  private busy = false
  /** Milliseconds for which Redis is still to be left alone; negative after a timer that took longer than was asked. */
  private owed = 0

  constructor(share: number) {
    this.share = share
  }

  /** Makes the call of this tenant when its turn has come. */
  async run<T>(tenantIndex: number, call: () => Promise<T>): Promise<T> {
    if (this.busy) await new Promise<void>((resolve) => this.wait(tenantIndex, { go: resolve }))
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
    this.owed = Math.min(this.owed + took * (1 / this.share - 1), LONGEST_PAUSE)
    if (this.owed < SHORTEST_PAUSE) {
      this.next()
      return
    }
    const begun = performance.now()
    setTimeout(() => {
      this.owed = Math.max(this.owed - (performance.now() - begun), -SHORTEST_PAUSE)
      this.next()
    }, this.owed)
  }

  private next(): void {
    const [first] = this.waiting
    if (first === undefined) {
      this.busy = false
      return
    }
    const [tenantIndex, waiters] = first
    const waiter = waiters.shift() as Waiter
    this.waiting.delete(tenantIndex)
    if (waiters.length > 0) this.waiting.set(tenantIndex, waiters)
    waiter.go()
  }

  private wait(tenantIndex: number, waiter: Waiter): void {
    const waiters = this.waiting.get(tenantIndex)
    if (waiters === undefined) this.waiting.set(tenantIndex, [waiter])
    else waiters.push(waiter)
  }
}

/** Milliseconds. A call can take long because the upstream was away. */
const LONGEST_PAUSE = 100
/** What a timer can wait for; less is saved up, so that short calls go out two or three at a time. */
const SHORTEST_PAUSE = 1
