import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import { close, fail, sortLost } from './failure.ts'

/**
 * The failure table for a pin that was lost while `holder` had it: its transaction is gone; what waited and took nothing,
 * and what was not sent, is issued again. `reissueBlocked`: also what may have taken something.
 */
export function losePin(holder: ExchangeClient, left: Exchange | undefined, reissueBlocked: boolean): void {
  let open: boolean | undefined
  for (let x = left; x !== undefined; x = x.next) if (x.state !== 'none') open = x.state === 'opens'
  const lost = sortLost(left)
  holder.pinLost(open)
  for (const x of lost.abandoned) close(x)
  const again: Exchange[] = []
  for (const x of lost.unknown) {
    if (x.inTransaction && x.spec.name !== 'exec') fail(x, 'EXECABORT')
    else if (x.spec.route === 'blocking' && reissueBlocked && !x.client.gone) again.push(x)
    else fail(x, 'OUTCOMEUNKNOWN')
  }
  for (const x of lost.repeat) {
    if (x.inTransaction) fail(x, 'EXECABORT')
    else again.push(x)
  }
  holder.pending -= again.length
  if (again.length > 0) holder.requeue(again)
}
