import type { CommandSpec } from '../../commands/spec.ts'
import { ForeignKey } from '../../keyspace/rewrite-reply.ts'
import { encodeReply } from '../../resp/reply-decoder.ts'
import { BadReply } from '../../resp/reply-scanner.ts'
import { ARRAY, ERROR } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'
import { CallFailed } from '../../upstream/caller.ts'
import type { Ground } from './ground.ts'
import { Refused } from './refused.ts'

/** Keys that one call looks at: 0.7 ms of Redis' time, and few enough calls (s32). */
export const WALK_COUNT = 1000
/** A walk begins anew when the server behind the upstream became another; not more often than this. */
const MOST_RESTARTS = 3

export interface Page {
  /** For the next call; "0" at the end. */
  readonly cursor: string
  /** Without the prefix. */
  readonly keys: Buffer[]
}

/** One SCAN. `pattern` is one on raw keys; `count` keys are looked at. Throws Refused, CallFailed, ForeignKey. */
export async function scanOnce(
  ground: Ground,
  spec: CommandSpec,
  cursor: string,
  pattern: Buffer,
  count: number,
  type: Buffer | undefined,
): Promise<Page> {
  const args = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', String(count)]
  const { caller, prefix, stats } = ground
  const page = await caller.call(spec, type === undefined ? args : [...args, 'TYPE', type], (reply) =>
    readPage(reply, prefix),
  )
  if (page instanceof Refused) throw page
  stats.scanExamined += count
  stats.scanReturned += page.keys.length
  return page
}

function readPage(reply: Reply, prefix: Buffer): Page | Refused {
  if (reply.type === ERROR) return new Refused(encodeReply(reply))
  const [next, list] = reply.type === ARRAY ? (reply.items ?? []) : []
  const cursor = next?.text?.toString('latin1') ?? ''
  if (list?.items === undefined || !/^[0-9]+$/.test(cursor)) throw new BadReply('a reply to SCAN of another shape')
  return { cursor, keys: list.items.map((item) => withoutPrefix(item, prefix)) }
}

function withoutPrefix({ text }: Reply, prefix: Buffer): Buffer {
  if (
    text === undefined ||
    text.length < prefix.length ||
    text.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0
  )
    throw new ForeignKey('SCAN returned a key outside the prefix of its tenant')
  return text.subarray(prefix.length)
}

/**
 * All keys that match, in pages, at the pace of the node. As with SCAN itself: a key that is there from beginning to end
 * comes at least once, and may come twice. A cursor means nothing to another server, so a failover starts it anew.
 */
export async function* walk(ground: Ground, spec: CommandSpec, pattern: Buffer): AsyncGenerator<Buffer[]> {
  const { caller } = ground
  let runId = ''
  let cursor = '0'
  let restarts = 0
  for (;;) {
    const page = await caller.paced(() => scanOnce(ground, spec, cursor, pattern, WALK_COUNT, undefined))
    const now = caller.node.facts.runId
    if (now === runId || runId === '') {
      runId = now
      if (page.keys.length > 0) yield page.keys
      if (page.cursor === '0') return
      cursor = page.cursor
      continue
    }
    if (restarts++ === MOST_RESTARTS) throw new CallFailed('UPSTREAMDOWN')
    runId = now
    cursor = '0'
  }
}
