import type { Quirk } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

/** Facts of the server that are the same for every tenant, or that every tenant sees as those of a server of its own. */
export const quirks: Readonly<Record<string, Quirk>> = {
  time: {
    answer(call) {
      const microseconds = Math.floor(call.server.now() * 1000)
      call.reply.array(2)
      call.reply.bulk(String(Math.floor(microseconds / 1e6)))
      call.reply.bulk(String(microseconds % 1e6))
    },
  },
  // When the shared server last saved: what backup scripts wait for, and as much the tenant's own data's save.
  lastsave: { answer: (call) => call.reply.integer(call.server.upstream(tenantOf(call.session)).lastSave) },
  // A primary without replicas: those of the upstream are Keyward's to use, not a tenant's.
  role: {
    answer({ reply }) {
      reply.array(3)
      reply.bulk('master')
      reply.integer(0)
      reply.array(0)
    },
  },
}
