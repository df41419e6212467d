import { decodeReply } from '../../resp/reply-decoder.ts'
import type { Reply } from '../../resp/types.ts'
import type { Coverage } from './coverage.ts'

/** What one that tracks as ordered says of itself. */
const FLAGS = 'bcast on'
/** To the connection itself. */
const REDIRECT = '0'

/**
 * How the reply to CLIENT TRACKINGINFO differs from what was ordered; undefined: not at all.
 * https://redis.io/docs/latest/commands/client-trackinginfo/
 */
export function notAsOrdered(reply: Buffer, ordered: Coverage): string | undefined {
  const { items = [] } = decodeReply(reply, 0, reply.length)
  const fields = new Map<string, Reply>()
  for (let i = 0; i + 1 < items.length; i += 2) fields.set(textOf(items[i]), items[i + 1])
  const flags = textsOf(fields.get('flags')).join(' ')
  if (flags !== FLAGS) return `tracking is ${flags === '' ? 'not known' : flags}`
  const redirect = fields.get('redirect')
  if (redirect === undefined || textOf(redirect) !== REDIRECT) return 'tracking is redirected to somebody else'
  const told = ordered.prefixes.map((prefix) => prefix.toString('latin1')).sort()
  // Without a prefix, the server has taken the empty one.
  const wanted = JSON.stringify(told.length === 0 ? [''] : told)
  if (JSON.stringify(textsOf(fields.get('prefixes'))) !== wanted) return 'tracking is of other prefixes'
  return undefined
}

function textOf(reply: Reply): string {
  return reply.text?.toString('latin1') ?? ''
}

/** Sorted. */
function textsOf(reply: Reply | undefined): string[] {
  return (reply?.items ?? []).map(textOf).sort()
}
