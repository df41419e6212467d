import type { Exchange } from '../commands/exchange.ts'

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

  /** x, which is sent, has been answered for good; its slot still waits for the reply. */
  abandon(x: Exchange): void {
    x.moveTo('abandoned')
    this.abandoned++
  }

  /** Empties the queue; returns its first exchange, the others behind it. */
  clear(): Exchange | undefined {
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
