import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'

/** What becomes of the exchanges of a connection that was lost. Each list in the order in which they were queued. */
export interface Lost {
  /** May be sent (again). */
  readonly repeat: Exchange[]
  /** May have been executed. */
  readonly unknown: Exchange[]
  /** Were abandoned already: nobody waits. */
  readonly abandoned: Exchange[]
}

/**
 * The failure table for a lost connection: what was not sent may be sent elsewhere; what was sent is repeated only if
 * its flags say readonly, it is no member of a transaction, nothing of its reply has reached the client, and no
 * write of its client was in flight behind it (else the read would see its own future).
 */
export function sortLost(left: Exchange | undefined): Lost {
  const all: Exchange[] = []
  for (let x = left; x !== undefined; x = x.next) all.push(x)
  const writers = new Set<ExchangeClient>()
  const unknown = new Set<Exchange>()
  for (let i = all.length - 1; i >= 0; i--) {
    const x = all[i]
    if (x.place === 'scheduled') continue
    const readonly = (x.spec.flags & FLAG.READONLY) !== 0 && !x.inTransaction
    if (!readonly) writers.add(x.client)
    if (x.place === 'sent' && (!readonly || x.streaming || writers.has(x.client))) unknown.add(x)
  }
  const lost: Lost = { repeat: [], unknown: [], abandoned: [] }
  for (const x of all) {
    x.next = undefined
    if (x.place === 'abandoned') lost.abandoned.push(x)
    else if (unknown.has(x)) lost.unknown.push(x)
    else lost.repeat.push(x)
  }
  return lost
}

/** The slot of x is over: its client may go another way when nothing else of it is under way. */
export function close(x: Exchange): void {
  x.moveTo('answered')
  x.client.pending--
  x.client.settled()
}

/** The request will not be repeated (or never was sent) and its client is told so. */
export function fail(
  x: Exchange,
  code: 'UPSTREAMDOWN' | 'OUTCOMEUNKNOWN' | 'EXECABORT' | 'BADUPSTREAM' | 'NOEXPIRY',
): void {
  x.client.fail(x, code)
  close(x)
}

/** x, which has to run as a user of its own, cannot be sent where it should go. */
export function notLetIn(x: Exchange): void {
  x.client.pending--
  if (x.client.notLetIn(x, 'the upstream lets nobody make users')) return
  x.client.pending++
  fail(x, 'UPSTREAMDOWN')
}
