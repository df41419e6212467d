import { ERRORS } from '../../errors.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

/** CACHE.STATS: one reply for all versions to come, so names may be added, and none goes or changes what it means. */
function stats({ reply, server, session }: LocalCall): void {
  const now = server.cacheStats(tenantOf(session))
  const pairs: readonly (readonly [name: string, value: number])[] = [
    ['hits', now.hits],
    ['stale_served', now.staleServed],
    ['misses', now.misses],
    ['crowded', now.crowded],
    ['coalesced', now.coalesced],
    ['stored', now.stored],
    ['rejected', now.rejected],
    ['skipped', now.skipped],
    ['invalidations', now.invalidations],
    ['evictions', now.evictions],
    ['expired', now.expired],
    ['entries', now.entries],
    ['bytes', now.bytes],
    ['memory', now.memory],
    ['behind_ms', now.behind === undefined ? -1 : Math.ceil(now.behind)],
  ]
  reply.map(pairs.length)
  for (const [name, value] of pairs) {
    reply.bulk(name)
    reply.integer(value)
  }
}

/** CACHE.FLUSH [MATCH pattern] */
function flush({ args, reply, server, session }: LocalCall): void {
  const matching = args.length === 3 && args.is(1, 'MATCH')
  if (args.length !== 1 && !matching) {
    reply.error('ERR syntax error')
    return
  }
  if (matching && args.size(2) > PATTERN_BYTES) {
    reply.error(ERRORS.PATTERNLIMIT.reply)
    return
  }
  reply.integer(server.flushCache(tenantOf(session), matching ? args.bytes(2) : undefined))
}

/** Matching takes time in proportion to the pattern, for each entry, and everybody waits for it. */
const PATTERN_BYTES = 1024

/** The near cache of the tenant, in the process that the client is connected to. */
export const quirks: Readonly<Record<string, Quirk>> = {
  'cache.flush': { answer: flush },
  'cache.stats': { answer: stats },
}
