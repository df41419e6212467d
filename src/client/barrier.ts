import type { Exchange } from '../commands/exchange.ts'
import { discardInstead } from './transaction.ts'

/**
 * The place `barrier` of one client: its requests, in their order, that wait for an earlier one, a connection of their own or a delay.
 * Limit: `buffers.request` bytes of the client's requests altogether (connection.ts). Client leaves: dropped.
 * Upstream leaves: nothing changes. Drain: they go on.
 */
export class Barrier {
  head: Exchange | undefined = undefined
  size = 0
  private tail: Exchange | undefined = undefined
  /** The newest that came back, and may still wait. */
  private returned: Exchange | undefined = undefined

  push(x: Exchange): void {
    if (this.tail === undefined) this.head = x
    else this.tail.next = x
    this.tail = x
    this.size++
  }

  unshift(x: Exchange): void {
    x.next = this.head
    this.head = x
    if (this.tail === undefined) this.tail = x
    this.size++
  }

  shift(): Exchange | undefined {
    const x = this.head
    if (x === undefined) return undefined
    this.head = x.next
    if (this.head === undefined) this.tail = undefined
    x.next = undefined
    this.size--
    return x
  }

  private insert(x: Exchange, after: Exchange): void {
    x.next = after.next
    after.next = x
    if (this.tail === after) this.tail = x
    this.size++
  }

  /** They were not executed where they went, and wait, in their order, in front of the others, but behind those that came back before. */
  takeBack(again: readonly Exchange[]): void {
    // A replica may give them back one by one.
    const after = this.returned?.place === 'barrier' ? this.returned : undefined
    for (const x of again.toReversed()) {
      if (x.place !== 'barrier') x.moveTo('barrier')
      if (after === undefined) this.unshift(x)
      else this.insert(x, after)
    }
    this.returned = again.at(-1)
  }

  /** What came back may have gone. */
  forgetReturned(): void {
    if (this.returned?.place !== 'barrier') this.returned = undefined
  }

  /**
   * A transaction that is under way must not be executed: its EXEC, if it waits, discards instead, and its client is told `error`. Says
   * what waits: the end of the transaction; no end, but a MULTI or WATCH; nothing of the kind.
   */
  spoilTransaction(error: Buffer): 'ends' | 'begins' | 'nothing' {
    let ahead: 'begins' | 'nothing' = 'nothing'
    for (let x = this.head; x !== undefined; x = x.next) {
      if (x.state === 'opens') ahead = 'begins'
      if (x.state !== 'ends') continue
      if (x.spec.name === 'exec') discardInstead(x, error)
      return 'ends'
    }
    return ahead
  }
}
