import type { Delay } from '../../commands/delay.ts'

/** 0: its tokens are taken. Else it is refused, and may come again in so many milliseconds. */
export type Decide = (wait: number) => void

/** A request that waits for tokens of one bucket. Times in milliseconds. */
interface Waiter {
  readonly cost: number
  /** What must be there for it; the rest it owes. */
  readonly needed: number
  readonly since: number
  /** When it will have waited as long as its rule lets it. */
  readonly until: number
  readonly delay: Delay
  readonly decide: Decide
}

/**
 * The requests that wait for tokens of one bucket, in order; each of them is decided once. A decision lets other requests go
 * on, which may come back here: so nothing is decided before what is left is in place.
 */
export class LeaseWaiters {
  /** Of all of them, in tokens. */
  cost = 0
  private list: Waiter[] = []

  get size(): number {
    return this.list.length
  }

  /** When the first of them came; Infinity: there is none. */
  get since(): number {
    return this.list.length === 0 ? Number.POSITIVE_INFINITY : this.list[0].since
  }

  push(waiter: Waiter): void {
    this.list.push(waiter)
    this.cost += waiter.cost
  }

  /** The first one, if it needs no more than `tokens`: taken off. The caller takes its cost and decides. */
  next(tokens: number): Waiter | undefined {
    const [first] = this.list
    if (first === undefined || first.needed > tokens) return undefined
    this.list.shift()
    this.cost -= first.cost
    return first
  }

  /** Decides on those for whom `waitOf` says more than undefined. It is asked in order, with the cost of those before that stay. */
  refuse(waitOf: (waiter: Waiter, before: number) => number | undefined): void {
    const stay: Waiter[] = []
    const go: [Waiter, number][] = []
    let before = 0
    for (const waiter of this.list) {
      const wait = waitOf(waiter, before)
      if (wait !== undefined) {
        go.push([waiter, wait])
        continue
      }
      stay.push(waiter)
      before += waiter.cost
    }
    if (go.length === 0) return
    this.list = stay
    this.cost = before
    for (const [{ decide }, wait] of go) decide(wait)
  }

  /** Lets go of those for whom nobody waits any more. */
  dropOver(): void {
    this.refuse(({ delay }) => (delay.over ? NOBODY : undefined))
  }
}

/** For a request that has left: who decides hears that it has got nothing. */
const NOBODY = 1
