import type { Exchange } from '../commands/exchange.ts'
import type { Connection } from './connection.ts'
import type { Control } from './control.ts'

/** What interrupting asks of its node. */
export interface InterruptHost {
  readonly requestTime: number
  now(): number
  connections(): Iterable<Connection>
  missing(power: 'client unblock', error: string): void
}

/** Milliseconds until it is asked again. */
const AGAIN = 2

/**
 * Has the server itself end the command that blocks on `pin`, which it answers by an error when nothing was taken: then it is
 * issued again elsewhere. Closing the connection instead would leave it unknown whether an element was taken. It is asked
 * through a lane to the same process, where the pin's id means the pin.
 */
export function interrupt(pin: Connection, host: InterruptHost, control: Control): void {
  const head = pin.queue.head
  if (pin.kind !== 'pin' || head?.blocks !== true || head.place !== 'sent' || head.spec.route !== 'blocking') return
  if (pin.id !== 0 && pin.runId !== '' && !pin.interrupted) ask(pin, head, host, control)
}

/**
 * Until it has had an effect: a command that was sent just now, on another connection, may reach the server behind this.
 * Nothing else is sent on the pin meanwhile, so no other command can be met.
 */
function ask(pin: Connection, x: Exchange, host: InterruptHost, control: Control): void {
  for (const lane of host.connections()) {
    if (lane.kind !== 'lane' || !lane.ready || lane.runId !== pin.runId) continue
    pin.interrupted = true
    control.ask(lane, ['CLIENT', 'UNBLOCK', String(pin.id), 'ERROR'], host.now(), host.requestTime, (reply) => {
      if (reply?.startsWith('-') === true) host.missing('client unblock', reply.slice(1).trimEnd())
      else if (reply?.startsWith(':1') !== true) setTimeout(again, AGAIN).unref()
    })
    return
  }

  function again(): void {
    if (pin.interrupted && pin.queue.head === x && x.place === 'sent') ask(pin, x, host, control)
  }
}
