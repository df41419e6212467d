import { ArgView } from '../commands/arg-view.ts'
import type { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { stripDecoded, stripError, stripReply } from '../keyspace/rewrite-reply.ts'
import { decodeReply, encodeReply } from '../resp/reply-decoder.ts'
import { ARRAY, ERROR, NULL, PUSH, STRING as SIMPLE } from '../resp/type-bytes.ts'
import type { Reply } from '../resp/types.ts'
import type { DispatchClient } from './dispatch-client.ts'
import { Asked } from './pubsub/asked.ts'
import { TenantRun } from './scripting/tenant-run.ts'
import { StoredArgs } from './stored-args.ts'
import { Abort, type Member } from './transaction.ts'

/**
 * The reply to x as its client may see it: keys without the prefix, EXEC's array with the replies of those members
 * that Keyward answers. Only for replies that need a look; throws when one is not what it must be.
 */
export function reviseReply(
  client: DispatchClient,
  x: Exchange,
  type: number,
  buf: Buffer,
  start: number,
  end: number,
): Buffer {
  if (x.state !== 'none') client.pinClean = provesClean(x, type, buf.subarray(start, end))
  if (x.note instanceof Abort) {
    client.stats.error('EXECABORT')
    return x.note.error
  }
  if (type === ERROR) {
    const line = buf.subarray(start, end)
    if (x.note instanceof TenantRun) return x.note.revise(line)
    if (x.prefix.length === 0) return line
    return instead(x.spec, line) ?? stripError(x.spec.quirk, line, x.prefix)
  }
  if (x.note instanceof Asked) return client.corrected(x.spec, x.note, buf, start, end)
  if (x.spec.quirk.amend !== undefined && x.note instanceof StoredArgs && !queued(x, type)) {
    return encodeReply(amended(client, x.spec, x.note, decodeReply(buf, start, end)))
  }
  if (x.note instanceof Map && type === ARRAY) return members(client, x, buf, start, end)
  if (x.spec.quirk.reply === undefined || x.prefix.length === 0 || queued(x, type)) return buf.subarray(start, end)
  return stripReply(x.spec.quirk, buf, start, end, x.prefix)
}

/** +QUEUED instead of the reply proper. */
function queued(x: Exchange, type: number): boolean {
  return x.inTransaction && type === SIMPLE
}

/** What the reply to a command that opens or ends a transaction proves about its connection. */
function provesClean(x: Exchange, type: number, line: Buffer): boolean {
  if (x.state !== 'ends') return false
  if (type === SIMPLE) return line.equals(OK)
  if (x.spec.name !== 'exec') return false
  // Executed, or not because of WATCH, or refused: over in each case.
  return type === ARRAY || type === NULL || (type === ERROR && line.subarray(0, EXECABORT.length).equals(EXECABORT))
}

function members(client: DispatchClient, x: Exchange, buf: Buffer, start: number, end: number): Buffer {
  const reply = decodeReply(buf, start, end)
  const items = reply.items
  if (items === undefined) return buf.subarray(start, end)
  // Pushes between the elements do not count.
  let index = 0
  const wanted = x.note as ReadonlyMap<number, Member>
  const cut = new Set<Reply>()
  for (let i = 0; i < items.length; i++) {
    if (items[i].type === PUSH) continue
    const member = wanted.get(index++)
    if (member === undefined) continue
    if (member.kind === 'cut') {
      cut.add(items[i])
      continue
    }
    if (member.kind === 'corrected') {
      items[i] = correctMember(client, items[i], member.spec, member.asked)
      continue
    }
    if (member.kind === 'amended') {
      items[i] = amended(client, member.spec, member.args, items[i])
      continue
    }
    if (member.kind === 'script') {
      items[i] = reviseScript(items[i], member.run)
      continue
    }
    if (member.kind === 'strip') {
      items[i] = stripMember(items[i], member.spec, member.prefix)
      continue
    }
    const bytes = member.kind === 'said' ? member.bytes : client.answerMember(member.spec, member.args)
    items[i] = decodeReply(bytes, 0, bytes.length)
  }
  return encodeReply(cut.size === 0 ? reply : { ...reply, items: items.filter((item) => !cut.has(item)) })
}

function amended(client: DispatchClient, spec: CommandSpec, args: StoredArgs, reply: Reply): Reply {
  if (reply.type !== ERROR) spec.quirk.amend?.(reply, args.into(new ArgView()), client.session)
  return reply
}

function stripMember(item: Reply, spec: CommandSpec, prefix: Buffer): Reply {
  if (item.type !== ERROR) {
    stripDecoded(spec.quirk, item, prefix)
  } else if (item.text !== undefined) {
    const line = Buffer.concat([MINUS, item.text, CRLF])
    const other = instead(spec, line) ?? stripError(spec.quirk, line, prefix)
    return decodeReply(other, 0, other.length)
  }
  return item
}

function reviseScript(item: Reply, run: TenantRun): Reply {
  if (item.type !== ERROR || item.text === undefined) return item
  const line = run.revise(Buffer.concat([MINUS, item.text, CRLF]))
  return decodeReply(line, 0, line.length)
}

function correctMember(client: DispatchClient, item: Reply, spec: CommandSpec, asked: Asked): Reply {
  if (item.type === ERROR) return item
  const bytes = encodeReply(item)
  const corrected = client.corrected(spec, asked, bytes, 0, bytes.length)
  return decodeReply(corrected, 0, corrected.length)
}

/** What the client gets in place of this error line. */
function instead(spec: CommandSpec, line: Buffer): Buffer | undefined {
  return spec.quirk.instead?.(line.toString('latin1', 1, line.length - 2))
}

const MINUS = Buffer.from('-')
const CRLF = Buffer.from('\r\n')
const OK = Buffer.from('+OK\r\n')
const EXECABORT = Buffer.from('-EXECABORT ')
