import { ERRORS } from '../../errors.ts'
import { isLiteral, rawPattern } from '../../keyspace/pattern.ts'
import type { Job } from './job.ts'
import { Refused, readInteger } from './refused.ts'
import { matchesEmpty } from './scan.ts'
import { walk } from './walk.ts'

/** Bytes that a key takes beside its own while it is collected, about. */
const KEY_BYTES = 64

/**
 * KEYS pattern, made of SCANs, so that Redis serves others meanwhile. No snapshot: a key that comes or goes meanwhile may
 * or may not be in it. Limit: `buffers.output` bytes. https://redis.io/docs/latest/commands/keys/
 */
export const keys: Job = async (call) => {
  const { args, prefix, reply, env, tenant, client } = call
  const pattern = args[1]
  // SCAN may return a key twice.
  const found = new Set<string>()
  let bytes = 0
  if (isLiteral(pattern)) {
    const there = await call.caller.call(env.specs.exists, ['EXISTS', Buffer.concat([prefix, pattern])], readInteger)
    if (there instanceof Refused) throw there
    if (there === 1) found.add(pattern.toString('latin1'))
  } else {
    const complete = await env.sweeps.run(call.tenantIndex, async () => {
      for await (const page of walk(call, env.specs.scan, rawPattern(prefix, pattern))) {
        for (const key of page) {
          if (key.length === 0 && !matchesEmpty(pattern)) continue
          found.add(key.toString('latin1'))
          bytes += key.length + KEY_BYTES
        }
        call.kept(bytes)
        if (bytes > tenant.buffers.output) return false
      }
      return true
    })
    if (!complete) {
      client.stats.error('JOBLIMIT')
      reply.error(ERRORS.JOBLIMIT.reply)
      return
    }
  }
  reply.array(found.size)
  for (const key of found) reply.bulk(Buffer.from(key, 'latin1'))
}
