import { type Exchange, LEAST_PATIENCE } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'
import type { Connection } from './connection.ts'
import { fail } from './failure.ts'
import type { Refusals } from './refusals.ts'

/** Abandoned slots that one connection may carry before it is closed. */
const MOST_ABANDONED = 1000

/**
 * Answers requests on `connection` whose reply has not begun in time, one by one: the connection, which others
 * share, stays, and their slots wait on as abandoned. It is closed when too many do, or when it has been silent for three
 * time-outs. What such a connection has not sent has waited for an upstream that is away: for `hold` at most. `now`: clock
 * time; the others milliseconds. True: it says nothing, or said nothing in time.
 */
export function checkTimeOuts(
  connection: Connection,
  now: number,
  request: number,
  hold: number,
  refusals: Refusals,
): boolean {
  const { queue } = connection
  const head = queue.head
  if (head === undefined) return false
  let late = false
  const least = Math.min(request, LEAST_PATIENCE)
  for (let x: Exchange | undefined = head; x !== undefined; x = x.next) {
    if (x.place === 'scheduled') break
    if (x.place !== 'sent' || x.patience === 0) continue
    const waited = now - x.since
    // Those behind it were sent later. Some of them may have less patience, but none less than this.
    if (waited <= least) break
    if (waited <= x.patience) continue
    if (connection.begun(x)) continue
    queue.abandon(x)
    late = true
    x.client.fail(x, (x.spec.flags & FLAG.READONLY) !== 0 ? 'UPSTREAMTIMEOUT' : 'OUTCOMEUNKNOWN')
  }
  if (queue.abandoned > MOST_ABANDONED) {
    connection.close('too many requests timed out')
    return true
  }
  if (head.place === 'scheduled' || head.patience === 0) return late
  const quiet = now - Math.max(connection.lastBytesAt, head.since)
  if (quiet > Math.max(3 * request, head.patience)) connection.close('silent for three time-outs')
  else if (quiet > request && connection.shared) {
    for (const x of queue.expire((one) => now - one.receivedAt >= hold)) {
      if (!x.client.gone) refusals.time++
      fail(x, 'UPSTREAMDOWN')
    }
  }
  return late || (quiet > request && connection.shared)
}
