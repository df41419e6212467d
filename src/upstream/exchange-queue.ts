import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import { FairQueue } from './fair-queue.ts'
import { type Sharing, WINDOW } from './sharing.ts'
import { TenantRuns } from './tenant-runs.ts'

/**
 * The places `scheduled`, `sent` and `abandoned` of one connection. Sent ones are one list, oldest first, because
 * replies come in that order. Scheduled ones are another, in the order in which they came, as long as nobody has to wait
 * or only one tenant sends:
 *
 *     next -> x -> x -> x -> lastSent        first -> x -> x -> last
 *             sent                                scheduled
 *
 * Where several tenants send more than may be in flight, scheduled ones pass through `fair`, in which each tenant has a
 * line of its own, between the two. Those that have to wait may be `parked` beside them, so that others can pass.
 *
 * Sent means handed to write(); what is only scheduled can still go to another connection. Limits: a window of bytes
 * in flight; what is scheduled is bounded by its clients' `buffers.request`; abandoned slots by the node's watch.
 * Client leaves: sent ones are answered into the void, scheduled ones are still sent, as Redis would execute them.
 * Upstream leaves: failure.ts decides. Drain: they are waited for.
 */
export class ExchangeQueue {
  /** The oldest sent exchange: the next reply is its own. */
  next: Exchange | undefined = undefined
  length = 0
  abandoned = 0
  /** Sent and unanswered: bytes, and how many. */
  inFlight = 0
  private sent = 0
  /** Bytes scheduled. */
  waiting = 0
  private lastSent: Exchange | undefined = undefined
  private first: Exchange | undefined = undefined
  private last: Exchange | undefined = undefined
  private parked: Exchange | undefined = undefined
  private readonly fair = new FairQueue()
  private readonly runs = new TenantRuns()
  private readonly sharing: Sharing | undefined

  /** `sharing`: of the server, where tenants share the connection; undefined: nobody takes turns here. */
  constructor(sharing?: Sharing) {
    this.sharing = sharing
  }

  /** The oldest sent exchange; where there is none, one that is scheduled. */
  get head(): Exchange | undefined {
    return this.next ?? this.fair.head ?? this.first
  }

  schedule(x: Exchange): void {
    x.moveTo('scheduled')
    x.next = undefined
    this.append(x, x)
    this.length++
    this.waiting += x.size
    const { sharing } = this
    if (sharing !== undefined && x.client.tenantIndex !== sharing.tenant) sharing.another(x.client.tenantIndex)
  }

  /** Something is scheduled, and perhaps fits the window: gather() knows. */
  get sendable(): boolean {
    if (this.first === undefined && this.fair.empty) return false
    const { sharing } = this
    return sharing === undefined ? this.inFlight < WINDOW : this.inFlight < sharing.limit && this.sent < sharing.most
  }

  /** Moves what fits the window to `sent`, and returns its bytes. Neighbours in the same slab become one span. */
  gather(now: number): Buffer[] {
    const { sharing } = this
    const shared = sharing?.judge(now) === true
    const limit = sharing === undefined ? WINDOW : sharing.limit
    if (!this.fair.empty || (shared && this.exceeds(sharing))) this.choose(sharing as Sharing, now)
    const parts: Buffer[] = []
    const begin = this.first
    let bytes: Buffer | undefined
    let start = 0
    let end = 0
    let before: Exchange | undefined
    let x = begin
    let waits = false
    while (x !== undefined && this.inFlight < limit) {
      if (x.as !== undefined) {
        waits = !this.runs.admits(x, now)
        if (waits) break
        this.runs.enter(x, now)
      }
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
      before = x
      x = x.next
      this.sent++
    }
    if (bytes !== undefined) parts.push(bytes.subarray(start, end))
    if (before !== undefined) {
      if (this.lastSent === undefined) this.next = begin
      else this.lastSent.next = begin
      this.lastSent = before
      before.next = undefined
      this.first = x
      if (x === undefined) this.last = undefined
    }
    if (waits && !this.fair.empty) this.returnToFair()
    return parts
  }

  /** What had its turn and was not sent after all goes back in front of what its tenant has there. */
  private returnToFair(): void {
    const returned: Exchange[] = []
    for (let x = this.first; x !== undefined; x = x.next) returned.push(x)
    this.first = undefined
    this.last = undefined
    for (const x of returned.reverse()) this.fair.giveBack(x)
  }

  /** Not all that is scheduled may be sent now. */
  private exceeds({ limit, most }: Sharing): boolean {
    return this.inFlight + this.waiting > limit || this.length > most
  }

  /** Has all that is scheduled wait in `fair`, but for what has its turn and fits the window now. */
  private choose(sharing: Sharing, now: number): void {
    const { fair } = this
    for (let x = this.first; x !== undefined; ) {
      const after: Exchange | undefined = x.next
      fair.add(x)
      x = after
    }
    this.first = undefined
    this.last = undefined
    if (fair.contested) sharing.round(fair, now)
    let bytes = this.inFlight
    for (let count = this.sent; bytes < sharing.limit && count < sharing.most; count++) {
      const x = fair.take()
      if (x === undefined) return
      bytes += x.size
      this.append(x, x)
    }
  }

  /** Schedules what is between the two behind the others. */
  private append(begin: Exchange, end: Exchange): void {
    if (this.last === undefined) this.first = begin
    else this.last.next = begin
    this.last = end
  }

  /** Takes the oldest sent exchange out. */
  shift(x: Exchange): void {
    this.next = x.next
    if (this.next === undefined) this.lastSent = undefined
    x.next = undefined
    this.length--
    this.sent--
    this.inFlight -= x.size
    if (x.as !== undefined) this.runs.leave()
    if (x.place === 'abandoned') this.abandoned--
  }

  /** Takes out the oldest of each tenant's that are not sent, as long as they are `late`. Parked ones are not looked at. */
  expire(late: (x: Exchange) => boolean): Exchange[] {
    const expired = this.fair.expire(late)
    for (let x = this.first; x !== undefined && late(x); x = this.first) {
      this.first = x.next
      x.next = undefined
      expired.push(x)
    }
    if (this.first === undefined) this.last = undefined
    for (const x of expired) {
      this.length--
      this.waiting -= x.size
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
    this.level()
    const clients = new Set<ExchangeClient>()
    let stays: Exchange | undefined
    let goes: Exchange | undefined
    let x = this.first
    this.first = undefined
    while (x !== undefined) {
      const after: Exchange | undefined = x.next
      x.next = undefined
      if (clients.has(x.client) || waits(x)) {
        clients.add(x.client)
        if (goes === undefined) this.parked = x
        else goes.next = x
        goes = x
      } else {
        if (stays === undefined) this.first = x
        else stays.next = x
        stays = x
      }
      x = after
    }
    this.last = stays
  }

  /** Behind the others, which are of other clients: whoever has something parked here schedules nothing more. */
  unpark(): void {
    const begin = this.parked
    if (begin === undefined) return
    this.parked = undefined
    let end = begin
    while (end.next !== undefined) end = end.next
    this.append(begin, end)
  }

  /** Puts what is in `fair` back in front of the other scheduled ones, which came later, in the order of turns. */
  private level(): void {
    const { first, last } = this
    this.first = undefined
    this.last = undefined
    for (let x = this.fair.take(); x !== undefined; x = this.fair.take()) this.append(x, x)
    if (first !== undefined && last !== undefined) this.append(first, last)
  }

  /** Sent, scheduled and parked. */
  *all(): Iterable<Exchange> {
    for (let x = this.next; x !== undefined; x = x.next) yield x
    yield* this.fair.all()
    for (let x = this.first; x !== undefined; x = x.next) yield x
    for (let x = this.parked; x !== undefined; x = x.next) yield x
  }

  /** What each tenant has scheduled, for those who look from time to time. */
  lengths(): ReadonlyMap<number, { readonly tenant: number; readonly requests: number; readonly bytes: number }> {
    const lengths = new Map([...this.fair.lengths()].map((line) => [line.tenant, line]))
    for (let x = this.first; x !== undefined; x = x.next) {
      const tenant = x.client.tenantIndex
      const { requests, bytes } = lengths.get(tenant) ?? { requests: 0, bytes: 0 }
      lengths.set(tenant, { tenant, requests: requests + 1, bytes: bytes + x.size })
    }
    return lengths
  }

  /** Empties the queue; returns its first exchange, the others behind it. */
  clear(): Exchange | undefined {
    this.unpark()
    this.level()
    const { lastSent, next } = this
    if (lastSent !== undefined) lastSent.next = this.first
    const begin = next ?? this.first
    this.runs.clear()
    this.next = undefined
    this.lastSent = undefined
    this.first = undefined
    this.last = undefined
    this.length = 0
    this.abandoned = 0
    this.inFlight = 0
    this.sent = 0
    this.waiting = 0
    return begin
  }
}
