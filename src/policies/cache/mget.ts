import type { Fill } from '../../commands/effects.ts'
import { ARRAY, BULK, NULL } from '../../resp/type-bytes.ts'
import type { Session } from '../../session/session.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import type { Entries } from './entries.ts'
import { MOST_ASKED } from './entry-key.ts'
import type { Fills } from './fills.ts'
import type { TenantCache } from './tenant-cache.ts'
import type { Touches } from './touches.ts'

/** Elements of one reply that are kept. Each costs the upstream a question for its time to live. */
const MOST_KEPT = 100

/**
 * MGET is as many GETs: it is answered from their entries, when there is one for each key, and leaves some. Else it goes upstream whole,
 * so that its values are of one moment.
 */
export function readMany(
  { cache, fills: filling, touches }: ManyParts,
  session: Session,
  request: PolicyRequest,
  ruling: Ruling,
): Verdict {
  const { args, argc, buf, idle } = request
  if (request.end - request.start > MOST_ASKED) return 'go'
  const first = cache.ruleOf(buf, args[2], args[3])
  if (first === undefined || ruling.delay !== undefined || (!idle && request.inTransaction)) return 'go'
  const { fresh, host } = cache
  const keeps = fresh && cache.source?.down === false
  /** Addresses of entries: no entry is stored before they are used, and none of them dropped. */
  const found: number[] = []
  let fills: (Fill | undefined)[] | undefined
  let stale = false
  let wanted = 0
  let size = 0
  for (let i = 1; i < argc && (fresh || cache.forsaken); i++) {
    const rule = cache.ruleOf(buf, args[2 * i], args[2 * i + 1])
    if (rule === undefined) continue
    const { protocol, db } = session
    const probe = host.probe.set(host.get.index, protocol, db, cache.stateOf(session), buf, args, i, 1)
    const entry = cache.find(probe, rule, fresh)
    if (entry !== undefined) {
      found.push(entry.address)
      size += entry.replyLength
      stale ||= cache.stale
    } else if (keeps && wanted < MOST_KEPT && !cache.isLarge(probe)) {
      wanted++
      fills ??= []
      fills[i - 1] = filling.fill(probe, rule, session)
    }
  }
  // A key that is named again and again makes a small request a large reply: that is the upstream's to send, piece by piece.
  if (idle && found.length === argc - 1 && size <= MOST_SPLICED) {
    if (stale) first.staleServed++
    else {
      first.hits++
      for (const address of found) touches.hit(cache, session, cache.entries.at(address))
    }
    ruling.answer = arrayOf(cache.entries, found, size)
    return 'reply'
  }
  first.misses++
  if (fills !== undefined) ruling.effects = { ...ruling.effects, fill: new ElementsFill(fills) }
  return 'go'
}

/** What it needs of a tenant's cache. */
interface ManyParts {
  readonly cache: TenantCache
  readonly fills: Fills
  readonly touches: Touches
}

/** Bytes of a reply that is put together here. */
const MOST_SPLICED = 1024 * 1024

/** One reply of all of theirs, which have `size` bytes. */
function arrayOf(entries: Entries, addresses: readonly number[], size: number): Buffer {
  const head = `*${addresses.length}\r\n`
  const reply = Buffer.allocUnsafe(head.length + size)
  let at = reply.write(head, 'latin1')
  for (const address of addresses) at = entries.at(address).copyReply(reply, at)
  return reply
}

/** Keeps elements of the reply. */
class ElementsFill implements Fill {
  /** By element; undefined: it is not wanted. */
  private readonly fills: readonly (Fill | undefined)[]

  constructor(fills: readonly (Fill | undefined)[]) {
    this.fills = fills
  }

  replied(type: number, buf: Buffer, start: number, end: number): void {
    if (type !== ARRAY || buf[start] !== ARRAY) return
    let at = lineEnd(buf, start, end)
    for (let i = 0; i < this.fills.length && at < end; i++) {
      const next = elementEnd(buf, at, end)
      // Nothing that MGET says.
      if (next === -1) return
      this.fills[i]?.replied(buf[at], buf, at, next)
      at = next
    }
  }
}

/** Behind the string or null at `at`; -1: there is none, or not all of it. */
function elementEnd(buf: Buffer, at: number, end: number): number {
  const line = lineEnd(buf, at, end)
  if (buf[at] === NULL) return line
  if (buf[at] !== BULK) return -1
  if (buf[at + 1] === MINUS) return line
  let length = 0
  for (let i = at + 1; i < line - 2; i++) length = 10 * length + buf[i] - ZERO
  const next = line + length + 2
  return next <= end ? next : -1
}

/** Behind the line at `at`. */
function lineEnd(buf: Buffer, at: number, end: number): number {
  const found = buf.indexOf(LF, at) + 1
  return found > 0 && found <= end ? found : end
}

const LF = 0x0a
const MINUS = 0x2d
const ZERO = 0x30
