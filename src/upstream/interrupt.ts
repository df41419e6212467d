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
  if (pin.id !== 0 && pin.runId !== '' && pin.interruption.wanted !== head) ask(pin, head, host, control)
}

/**
 * Until it has had an effect: a command that was sent just now, on another connection, may reach the server behind this. But
 * not once the pin may go on.
 */
function ask(pin: Connection, x: Exchange, host: InterruptHost, control: Control): void {
  const { interruption } = pin
  for (const lane of host.connections()) {
    if (lane.kind !== 'lane' || !lane.ready || lane.runId !== pin.runId) continue
    interruption.wanted = x
    interruption.underWay++
    control.ask(lane, ['CLIENT', 'UNBLOCK', String(pin.id), 'ERROR'], host.now(), host.requestTime, (reply) => {
      if (reply?.startsWith(':1') === true) return
      // What an answer that is lost has ended will be recognized; nobody else blocks here.
      if (reply === undefined) pin.retired = true
      else if (interruption.underWay > 0) interruption.underWay--
      if (reply?.startsWith('-') === true) host.missing('client unblock', reply.slice(1).trimEnd())
      else setTimeout(again, AGAIN).unref()
    })
    return
  }
  interruption.wanted = undefined

  function again(): void {
    const waits = pin.frozen || pin.retired
    if (waits && pin.queue.head === x && x.place === 'sent') ask(pin, x, host, control)
    else interruption.wanted = undefined
  }
}
