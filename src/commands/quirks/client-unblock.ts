import type { Quirk } from '../spec.ts'

/** Done by client/jobs/unblock.ts: the upstream itself has to end the command that blocks. */
export const quirks: Readonly<Record<string, Quirk>> = { 'client|unblock': { route: 'job' } }
