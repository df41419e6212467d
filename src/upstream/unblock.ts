import type { Connection } from './connection.ts'
import { Control } from './control.ts'
import type { Node } from './node.ts'

/** What became of it: `not sent` and `unknown` as for any request. */
export type Unblocked = 'yes' | 'no' | 'not sent' | 'unknown'

/**
 * CLIENT UNBLOCK for the command that blocks on `pin`, so that the server itself ends it and takes nothing for nobody.
 * The pin is used by nobody else from here on: between our asking and the server's doing its command may end, and the
 * next to block there might be another tenant's. For the same reason it is sent only to the very process that the
 * pin is connected to, where the id means the pin, and never again.
 *
 * Keyward may be ending the same command of its own (interrupt.ts). By an error: then it is the client's, and this has had its effect.
 */
export function unblock(
  node: Node,
  pin: Connection,
  reason: 'TIMEOUT' | 'ERROR',
  done: (what: Unblocked) => void,
): void {
  pin.retired = true
  const lanes = [...node.lanesOf(2, false).connections, ...node.lanesOf(3, false).connections].filter(
    (one) => one.ready,
  )
  if (lanes.length === 0) {
    done('not sent')
    return
  }
  const lane = lanes.find((one) => one.runId === pin.runId)
  if (lane === undefined || pin.id === 0 || pin.runId === '') {
    done('no')
    return
  }
  const args = ['CLIENT', 'UNBLOCK', String(pin.id), reason]
  const { interruption } = pin
  const x = reason === 'ERROR' && interruption.claimed === undefined ? pin.queue.head : undefined
  if (x !== undefined) interruption.claimed = x
  new Control().ask(lane, args, node.now(), node.requestTime, (reply) => {
    if (reply?.startsWith('-') === true) node.missing('client unblock', reply.slice(1).trimEnd())
    if (reply === undefined) done('unknown')
    else if (reply.startsWith(':1')) done('yes')
    else {
      const given = x !== undefined && interruption.claimed !== x
      if (x !== undefined && !given) interruption.claimed = undefined
      done(given ? 'yes' : 'no')
    }
  })
}
