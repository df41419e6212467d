import type { Exchange } from '../commands/exchange.ts'

/**
 * The place `held`: requests for an upstream that is away, in the order in which they will be sent.
 * Limit: `hold.memory` bytes and `hold.time` for each. Client leaves: dropped when its turn comes. Upstream leaves:
 * nothing changes. Drain: they go on waiting until the deadline.
 */
export class Held {
  count = 0
  bytes = 0
  private head: Exchange | undefined = undefined
  private tail: Exchange | undefined = undefined

  /** Milliseconds (clock) since which the first one has been held; undefined when empty. */
  get oldest(): number | undefined {
    return this.head?.heldAt
  }

  add(x: Exchange, now: number): void {
    if (x.place !== 'held') x.moveTo('held')
    // One that is held again after READONLY or LOADING does not get new time.
    if (x.heldAt === 0) x.heldAt = now
    x.next = undefined
    if (this.tail === undefined) this.head = x
    else this.tail.next = x
    this.tail = x
    this.count++
    this.bytes += x.size
  }

  get first(): Exchange | undefined {
    return this.head
  }

  shift(): Exchange | undefined {
    const x = this.head
    if (x === undefined) return undefined
    this.head = x.next
    if (this.head === undefined) this.tail = undefined
    x.next = undefined
    this.count--
    this.bytes -= x.size
    return x
  }

  *all(): Iterable<Exchange> {
    for (let x = this.head; x !== undefined; x = x.next) yield x
  }

  /** Takes out those that `pick` says, keeping the order of the rest. */
  take(pick: (x: Exchange) => boolean): Exchange[] {
    const taken: Exchange[] = []
    let before: Exchange | undefined
    for (let x = this.head; x !== undefined; ) {
      const after: Exchange | undefined = x.next
      if (pick(x)) {
        if (before === undefined) this.head = after
        else before.next = after
        if (after === undefined) this.tail = before
        x.next = undefined
        this.count--
        this.bytes -= x.size
        taken.push(x)
      } else {
        before = x
      }
      x = after
    }
    return taken
  }

  /** All count as held since `now`. */
  restart(now: number): void {
    for (let x = this.head; x !== undefined; x = x.next) x.heldAt = now
  }
}
