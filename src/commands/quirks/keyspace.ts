import type { Quirk } from '../spec.ts'

const job: Quirk = { route: 'job' }

/** What speaks of the whole database, which is a part of one upstream: many calls each, client/jobs/. */
export const quirks: Readonly<Record<string, Quirk>> = {
  dbsize: job,
  flushall: job,
  flushdb: job,
  keys: job,
  randomkey: job,
  scan: job,
}
