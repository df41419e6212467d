import type { Quirk } from '../spec.ts'

/** What makes an upstream connection belong to one client for a while. */
const transaction: Quirk = { route: 'transaction' }
const wait: Quirk = { route: 'wait', timeout: (args) => ({ at: args.length - 1, perSecond: 1000 }) }

export const quirks: Readonly<Record<string, Quirk>> = {
  multi: transaction,
  exec: transaction,
  discard: transaction,
  watch: transaction,
  unwatch: transaction,
  wait,
  waitaof: wait,
}
