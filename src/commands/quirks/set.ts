import type { ArgView } from '../arg-view.ts'
import type { Offers } from '../offers.ts'
import { isOption } from '../option-word.ts'
import type { Quirk } from '../spec.ts'

/** SET key value IFDEQ digest GET has so many arguments; with fewer there cannot be both. */
const LEAST = 6

const TAKES_ONE = ['EX', 'PX', 'EXAT', 'PXAT', 'IFEQ', 'IFNE'] as const

/**
 * SET with GET, and with a digest to compare with that is none: Redis 8.4 to 8.6 answer with the old value and with an error, two
 * replies to one request, and every reply behind them on that connection would be taken for the one to another request, of
 * another tenant perhaps. So it is answered here, in Redis' words for such a digest. Options are read as the server reads them.
 * https://redis.io/docs/latest/commands/set/
 */
function rejects(args: ArgView, offers: Offers | undefined): string | undefined {
  if (args.length < LEAST || offers?.knows('delex') === false) return undefined
  let gets = false
  let wrong = false
  for (let i = 3; i < args.length; i++) {
    if (isOption(args, i, 'GET')) gets = true
    else if (isOption(args, i, 'IFDEQ') || isOption(args, i, 'IFDNE')) wrong ||= !isDigest(args, ++i)
    else if (TAKES_ONE.some((word) => isOption(args, i, word))) i++
  }
  return gets && wrong ? 'ERR must be exactly 16 hexadecimal characters' : undefined
}

/** Without one, it is a syntax error, which the server says alone. */
function isDigest(args: ArgView, i: number): boolean {
  return i >= args.length || (args.size(i) === 16 && /^[0-9a-f]{16}$/i.test(args.text(i, 16)))
}

export const quirks: Readonly<Record<string, Quirk>> = { set: { rejects, rejectsFrom: LEAST } }
