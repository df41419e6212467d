import { rawPattern } from '../../keyspace/pattern.ts'
import { globMatches } from '../../lib/glob.ts'
import type { Job } from './job.ts'
import { readScanOptions, validCursor } from './scan-options.ts'
import { type Page, scanOnce, WALK_COUNT } from './walk.ts'

/**
 * SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] with the upstream's own cursors. Of the keys that Redis looks at,
 * most may be other tenants', so a page is filled up by further calls until it holds `count` keys, for at most
 * `scan.fillTime`. No call looks at more than a thousand keys, whatever count the client gave.
 * https://redis.io/docs/latest/commands/scan/
 */
export const scan: Job = async (call) => {
  const { args, prefix, reply, caller } = call
  const from = args[1].toString('latin1')
  if (!validCursor(from)) {
    reply.error('ERR invalid cursor')
    return
  }
  const options = readScanOptions(args)
  if ('error' in options) {
    reply.error(options.error)
    return
  }
  const { count, match, type } = options
  const pattern = rawPattern(prefix, match)
  const until = performance.now() + caller.node.options.scan.fillTime
  const found: Buffer[] = []
  let cursor = from
  let step = Math.min(count, WALK_COUNT)
  let examined = 0
  for (;;) {
    const next = () => scanOnce(call, call.env.specs.scan, cursor, pattern, step, type)
    // The first call is what any client may do; those that fill the page are Keyward's.
    const page: Page = examined === 0 ? await next() : await caller.paced(next)
    cursor = page.cursor
    examined += step
    for (const key of page.keys) if (key.length > 0 || matchesEmpty(match)) found.push(key)
    if (cursor === '0' || found.length >= count || performance.now() >= until) break
    step = nextStep(count - found.length, examined, found.length)
  }
  reply.array(2)
  reply.bulk(cursor)
  reply.array(found.length)
  for (const key of found) reply.bulk(key)
}

/** As many as should hold what is still wanted, judging by what was found so far. */
function nextStep(wanted: number, examined: number, found: number): number {
  const step = found === 0 ? 8 * examined : Math.ceil((wanted * examined) / found)
  return Math.max(Math.min(step, WALK_COUNT), 1)
}

/** To Redis the empty key matches `*` and the empty pattern only; behind a prefix it is not empty any more. */
export function matchesEmpty(pattern: Buffer): boolean {
  return (pattern.length === 1 && pattern[0] === STAR) || globMatches(pattern, EMPTY)
}

const STAR = 0x2a
const EMPTY = Buffer.alloc(0)
