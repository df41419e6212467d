import type { Exchange } from '../commands/exchange.ts'

/** Bytes that the heaviest tenant gets for each of its turns: some twenty small requests, which stay one span. */
const QUANTUM = 2048

/** What one tenant has waiting, oldest first. */
class Line {
  readonly tenant: number
  head: Exchange
  tail: Exchange
  count = 0
  bytes = 0
  /** Bytes that it may still send in this turn, or will have in its next. */
  credit = 0
  /** Whose turn is after this one's. */
  after: Line | undefined = undefined

  constructor(first: Exchange) {
    this.tenant = first.client.tenantIndex
    this.head = first
    this.tail = first
  }

  /** As it is now: a reload may have changed it. */
  get weight(): number {
    return this.head.client.weight
  }
}

/**
 * Scheduled exchanges, a line for each tenant, served by deficit round robin (M. Shreedhar and G. Varghese, 1995): in
 * its turn a tenant sends what its credit covers, and gets credit for its next one in proportion to its weight. So
 * tenants that always have something waiting send bytes in the ratio of their weights, and one that has little waits for
 * a turn of each other one, however much those have waiting. A client belongs to one tenant as long as it has
 * anything waiting, so its order is that of its line. Limit: what is in here is bounded by its clients' `buffers.request`.
 */
export class FairQueue {
  private first: Line | undefined = undefined
  private last: Line | undefined = undefined
  private readonly lines = new Map<number, Line>()
  /** The largest weight of those that wait, or have waited since it was empty. */
  private heaviest = 1
  /** The line that was added to last. */
  private recent: Line | undefined = undefined

  get empty(): boolean {
    return this.first === undefined
  }

  /** More than one tenant waits. */
  get contested(): boolean {
    return this.first !== this.last
  }

  /** One of the oldest. */
  get head(): Exchange | undefined {
    return this.first?.head
  }

  add(x: Exchange): void {
    x.next = undefined
    const tenant = x.client.tenantIndex
    let line = this.recent
    if (line?.tenant !== tenant) line = this.lines.get(tenant)
    if (line === undefined) {
      line = new Line(x)
      this.heaviest = this.empty ? line.weight : Math.max(this.heaviest, line.weight)
      line.credit = this.share(line)
      this.lines.set(tenant, line)
      this.append(line)
    } else {
      line.tail.next = x
      line.tail = x
    }
    this.recent = line
    line.count++
    line.bytes += x.size
  }

  /** Takes out whose turn it is. */
  take(): Exchange | undefined {
    let line = this.first
    if (line === undefined) return undefined
    // Alone, a tenant pays nothing: it owes nothing to those who come later.
    if (this.contested) {
      let passed: Line | undefined
      while (line.head.size > line.credit) {
        // Nobody's credit was enough in a whole round: they are big requests.
        if (passed === line) this.leap()
        passed ??= line
        line = this.rotate(line)
      }
      line.credit -= line.head.size
    }
    const x = line.head
    this.shift(line)
    return x
  }

  /** x was taken out and is not sent now: it is the first of its tenant's again. Several go back in the reverse of their order. */
  giveBack(x: Exchange): void {
    const line = this.lines.get(x.client.tenantIndex)
    x.next = undefined
    if (line === undefined) {
      this.add(x)
      return
    }
    x.next = line.head
    line.head = x
    line.count++
    line.bytes += x.size
    line.credit += x.size
  }

  private shift(line: Line): void {
    const x = line.head
    line.count--
    line.bytes -= x.size
    if (x.next === undefined) {
      this.remove(line)
      return
    }
    line.head = x.next
    x.next = undefined
  }

  /** Credit for one turn: nobody's is so long that the others notice it. */
  private share(line: Line): number {
    return (QUANTUM * line.weight) / this.heaviest
  }

  private append(line: Line): void {
    line.after = undefined
    if (this.last === undefined) this.first = line
    else this.last.after = line
    this.last = line
  }

  /** The turn of `line`, the first, is over; returns the next. */
  private rotate(line: Line): Line {
    line.credit += this.share(line)
    const next = line.after as Line
    this.first = next
    this.append(line)
    return next
  }

  /** As many rounds at once as nobody could send anything in. */
  private leap(): void {
    let rounds = Number.POSITIVE_INFINITY
    for (let line = this.first; line !== undefined; line = line.after) {
      rounds = Math.min(rounds, Math.ceil((line.head.size - line.credit) / this.share(line)) - 1)
    }
    if (rounds <= 0) return
    for (let line = this.first; line !== undefined; line = line.after) line.credit += rounds * this.share(line)
  }

  private remove(line: Line): void {
    this.lines.delete(line.tenant)
    if (this.recent === line) this.recent = undefined
    let before: Line | undefined
    for (let one = this.first; one !== line; one = one?.after) before = one
    if (before === undefined) this.first = line.after
    else before.after = line.after
    if (this.last === line) this.last = before
  }

  /** Takes out the oldest of each tenant, as long as they are `late`. */
  expire(late: (x: Exchange) => boolean): Exchange[] {
    const expired: Exchange[] = []
    for (const line of [...this.lines.values()]) {
      while (line.count > 0 && late(line.head)) {
        expired.push(line.head)
        this.shift(line)
      }
    }
    return expired
  }

  *all(): Iterable<Exchange> {
    for (const { head } of this.lines.values()) {
      for (let x: Exchange | undefined = head; x !== undefined; x = x.next) yield x
    }
  }

  /** What each tenant has waiting. */
  *lengths(): Iterable<{ readonly tenant: number; readonly requests: number; readonly bytes: number }> {
    for (const { tenant, count, bytes } of this.lines.values()) yield { tenant, requests: count, bytes }
  }
}
