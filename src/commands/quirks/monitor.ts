import type { Quirk } from '../spec.ts'

/** From here on the client gets a line for each request of its tenant, from client/monitor.ts. */
export const quirks: Readonly<Record<string, Quirk>> = {
  monitor: {
    answer({ inTransaction, reply, session }) {
      if (inTransaction) reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client")
      // Said twice, it is not answered: Redis has no reply for it either.
      else if (!session.monitoring) {
        session.monitoring = true
        reply.simple('OK')
      }
    },
  },
}
