import type { Exchange, ExchangeClient } from '../commands/exchange.ts'

/** Bytes of requests that may be sent and unanswered on one connection. */
export const WINDOW = 1024 * 1024

/**
 * The places `scheduled`, `sent` and `abandoned` of one connection: one list, the first part sent and waiting for
 * replies in order, the rest not yet written.
 *
 *     head -> x -> x -> x -> x -> x -> tail
 *     |    sent    |      scheduled
 *                  unsent
 *
 * Scheduled ones that have to wait may be `parked` beside the list, so that others can pass them.
 *
 * Sent means handed to write(); what is only scheduled can still go to another connection. Limits: a window of bytes
 * in flight; what is scheduled is bounded by its clients' `buffers.request`; abandoned slots by the node's watch.
 * Client leaves: sent ones are answered into the void, scheduled ones are still sent, as Redis would execute them.
 * Upstream leaves: failure.ts decides. Drain: they are waited for.
 */
export class ExchangeQueue {
  head: Exchange | undefined = undefined
  length = 0
  abandoned = 0
  /** Bytes sent and unanswered. */
  inFlight = 0
  /** Bytes scheduled. */
  waiting = 0
  private tail: Exchange | undefined = undefined
  private unsent: Exchange | undefined = undefined
  private parked: Exchange | undefined = undefined

  schedule(x: Exchange): void {
    x.moveTo('scheduled')
    x.next = undefined
    if (this.tail === undefined) this.head = x
    else this.tail.next = x
    this.tail = x
    if (this.unsent === undefined) this.unsent = x
    this.length++
    this.waiting += x.size
  }

  /** Something is scheduled and fits the window. */
  get sendable(): boolean {
    return this.unsent !== undefined && this.inFlight < WINDOW
  }

  /** The oldest sent exchange: the next reply is its own. */
  get next(): Exchange | undefined {
    return this.head === this.unsent ? undefined : this.head
  }

  /** Moves what fits the window to `sent`, and returns its bytes. Neighbours in the same slab become one span. */
  gather(now: number): Buffer[] {
    const parts: Buffer[] = []
    let bytes: Buffer | undefined
    let start = 0
    let end = 0
    let x = this.unsent
    while (x !== undefined && this.inFlight < WINDOW) {
      x.moveTo('sent')
      x.since = now
      const size = x.size
      this.inFlight += size
      this.waiting -= size
      if (x.bytes === bytes && x.start === end) {
        end = x.end
      } else {
        if (bytes !== undefined) parts.push(bytes.subarray(start, end))
        bytes = x.bytes
        start = x.start
        end = x.end
      }
      if (x.tail !== undefined) {
        parts.push(bytes.subarray(start, end), x.tail)
        bytes = undefined
      }
      x = x.next
    }
    this.unsent = x
    if (bytes !== undefined) parts.push(bytes.subarray(start, end))
    return parts
  }

  /** Takes the oldest sent exchange out. */
  shift(x: Exchange): void {
    this.head = x.next
    if (this.head === undefined) this.tail = undefined
    x.next = undefined
    this.length--
    this.inFlight -= x.size
    if (x.place === 'abandoned') this.abandoned--
  }

  /** Takes out the oldest of those that are not sent, as long as they are `late`. Parked ones are not looked at. */
  expire(late: (x: Exchange) => boolean): Exchange[] {
    const expired: Exchange[] = []
    let last: Exchange | undefined
    for (let x = this.head; x !== this.unsent; x = (x as Exchange).next) last = x
    for (let x = this.unsent; x !== undefined && late(x); x = this.unsent) {
      this.unsent = x.next
      if (last === undefined) this.head = x.next
      else last.next = x.next
      if (x === this.tail) this.tail = last
      x.next = undefined
      this.length--
      this.waiting -= x.size
      expired.push(x)
    }
    return expired
  }

  /** x, which is sent, has been answered for good; its slot still waits for the reply. */
  abandon(x: Exchange): void {
    x.moveTo('abandoned')
    this.abandoned++
  }

  /** Parks all that is not sent and `waits`, and what its client has scheduled behind that. Those parked before are judged anew. */
  park(waits: (x: Exchange) => boolean): void {
    this.unpark()
    const clients = new Set<ExchangeClient>()
    let last: Exchange | undefined
    for (let x = this.head; x !== this.unsent; x = (x as Exchange).next) last = x
    let stays = last
    let goes: Exchange | undefined
    for (let x = this.unsent; x !== undefined; x = x.next) {
      if (clients.has(x.client) || waits(x)) {
        clients.add(x.client)
        if (goes === undefined) this.parked = x
        else goes.next = x
        goes = x
      } else {
        if (stays === undefined) this.head = x
        else stays.next = x
        stays = x
      }
    }
    if (goes === undefined) return
    goes.next = undefined
    if (stays === undefined) this.head = undefined
    else stays.next = undefined
    this.tail = stays
    this.unsent = last === undefined ? this.head : last.next
  }

  /** Behind the others, which are of other clients: whoever has something parked here schedules nothing more. */
  unpark(): void {
    const first = this.parked
    if (first === undefined) return
    this.parked = undefined
    if (this.tail === undefined) this.head = first
    else this.tail.next = first
    this.unsent ??= first
    for (let x: Exchange | undefined = first; x !== undefined; x = x.next) this.tail = x
  }

  /** Sent, scheduled and parked. */
  *all(): Iterable<Exchange> {
    for (let x = this.head; x !== undefined; x = x.next) yield x
    for (let x = this.parked; x !== undefined; x = x.next) yield x
  }

  /** Empties the queue; returns its first exchange, the others behind it. */
  clear(): Exchange | undefined {
    this.unpark()
    const first = this.head
    this.head = undefined
    this.tail = undefined
    this.unsent = undefined
    this.length = 0
    this.abandoned = 0
    this.inFlight = 0
    this.waiting = 0
    return first
  }
}
