import type { Quirk } from '../spec.ts'
import { timeoutSeconds } from '../timeout.ts'
import { stripFirst } from './keys-in-reply.ts'

const timeoutIsLast: Quirk = {
  route: 'blocking',
  blocks: (args) => timeoutSeconds(args, args.length - 1),
  timeout: (args) => ({ at: args.length - 1, perSecond: 1 }),
}
const timeoutIsFirst: Quirk = {
  route: 'blocking',
  blocks: (args) => timeoutSeconds(args, 1),
  timeout: () => ({ at: 1, perSecond: 1 }),
}

/** Commands that wait for an element. What they take comes back with the key it was taken from, except for the moves. */
export const quirks: Readonly<Record<string, Quirk>> = {
  blpop: { ...timeoutIsLast, reply: stripFirst },
  brpop: { ...timeoutIsLast, reply: stripFirst },
  bzpopmin: { ...timeoutIsLast, reply: stripFirst },
  bzpopmax: { ...timeoutIsLast, reply: stripFirst },
  blmove: timeoutIsLast,
  brpoplpush: timeoutIsLast,
  blmpop: { ...timeoutIsFirst, reply: stripFirst },
  bzmpop: { ...timeoutIsFirst, reply: stripFirst },
}
