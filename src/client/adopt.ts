import { Meters } from '../commands/delay.ts'
import type { ClientPolicy } from '../policies/policy.ts'
import type { ReplyQueue } from './reply-queue.ts'

/** A client's policies are new, and have seen nothing of its requests that are not answered: they may ask to be told of their end. */
export function adopt({ first }: ReplyQueue, chain: ClientPolicy | undefined): void {
  if (chain?.underWay === undefined) return
  for (let x = first; x !== undefined; x = x.later) {
    const meter = x.place === 'answered' ? undefined : chain.underWay(x.spec)
    if (meter === undefined) continue
    x.meter = x.meter === undefined ? meter : new Meters([...x.meter.parts, ...meter.parts])
  }
}
