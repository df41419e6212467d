import { type Caller, CallFailed } from '../../upstream/caller.ts'
import { NotSent } from '../../upstream/operator-connection.ts'
import type { Walls } from '../../upstream/walls/walls.ts'
import { isReply } from './tenant-at-server.ts'

/** Milliseconds between two tries. */
const AGAIN = 50

/** Of a server that has not executed it, and will, or another will in its place. */
const NOT_NOW = /^(READONLY|LOADING|MASTERDOWN) /

/**
 * One call for a client's request that goes as the upstream's user of the configuration, on a connection on which nothing is held:
 * so what was not sent waits here, as for any request, for hold.time from when it was received, and goes to the server of
 * the day. A caller without a request does not wait.
 *
 * `mayRepeat`: it may be sent again without harm when it was not confirmed. Rejects with the server's own words (isReply), or
 * with CallFailed, OUTCOMEUNKNOWN when it may have been executed.
 */
export async function asOperator<T>(
  caller: Caller,
  mayRepeat: boolean,
  call: (walls: Walls) => Promise<T>,
): Promise<T> {
  for (;;) {
    const { node } = caller
    if (caller.gone || node.ended) throw new CallFailed('UPSTREAMDOWN')
    try {
      return await call(node.walls)
    } catch (error) {
      if (isReply(error)) {
        // Of one that is a replica by purpose it is the answer.
        const isFinal = !NOT_NOW.test(error.message) || (node.facts.role === 'slave' && !node.writesWait)
        if (isFinal || isLate(caller)) throw error
      } else if (!(error instanceof NotSent) && !mayRepeat) {
        throw new CallFailed('OUTCOMEUNKNOWN')
      } else if (isLate(caller)) {
        throw new CallFailed('UPSTREAMDOWN')
      }
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN).unref())
  }
}

/** Its request has waited long enough. */
function isLate({ node, receivedAt }: Caller): boolean {
  // A pause is as long as its operator wants it.
  if (receivedAt !== undefined && node.suspension.level === 'everything') return false
  if (receivedAt === undefined || node.failsFast) return true
  const since = node.downSince === undefined ? receivedAt : Math.max(receivedAt, node.downSince)
  return node.clock.tick() - since >= node.holdTime
}
