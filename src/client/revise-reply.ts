import { ArgView } from '../commands/arg-view.ts'
import type { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { stripError, stripReply } from '../keyspace/rewrite-reply.ts'
import { decodeReply, encodeReply } from '../resp/reply-decoder.ts'
import { BadReply, ReplyScanner } from '../resp/reply-scanner.ts'
import { ARRAY, ATTRIBUTE, ERROR, NULL, PUSH, STRING as SIMPLE } from '../resp/type-bytes.ts'
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

/**
 * EXEC's array, element by element: those that need a look are taken apart, and all others are passed on as they came, however much
 * that is. Pushes between the elements do not count.
 */
function members(client: DispatchClient, x: Exchange, buf: Buffer, start: number, end: number): Buffer {
  const wanted = x.note as ReadonlyMap<number, Member>
  const scanner = new ReplyScanner()
  const array = behindAttributes(buf, start, end, scanner)
  const first = lineEnd(buf, array, end)
  const length = lengthAt(buf, array, first)
  const parts: Buffer[] = []
  let count = length
  let index = 0
  /** What has not been passed on yet begins here. */
  let from = first
  for (let pos = first; pos < end; ) {
    const next = scanner.scan(buf, pos, end)
    if (next < 0) throw new BadReply('an element ends too early')
    const member = scanner.type === PUSH ? undefined : wanted.get(index++)
    if (member !== undefined && (member.kind !== 'script' || scanner.type === ERROR)) {
      parts.push(buf.subarray(from, pos))
      from = next
      if (member.kind === 'cut') count--
      else parts.push(reviseMember(client, member, scanner.type, buf.subarray(pos, next)))
    }
    pos = next
  }
  if (from === first) return buf.subarray(start, end)
  return Buffer.concat([buf.subarray(start, array), Buffer.from(`*${count}\r\n`), ...parts, buf.subarray(from, end)])
}

/** Where the reply begins whose attributes buf[start..] are. */
function behindAttributes(buf: Buffer, start: number, end: number, scanner: ReplyScanner): number {
  let at = start
  while (buf[at] === ATTRIBUTE) {
    const pairs = lengthAt(buf, at, lineEnd(buf, at, end))
    at = lineEnd(buf, at, end)
    for (let left = 2 * pairs; left > 0; ) {
      at = scanner.scan(buf, at, end)
      if (at < 0) throw new BadReply('an attribute ends too early')
      if (scanner.type !== PUSH) left--
    }
  }
  return at
}

function lineEnd(buf: Buffer, start: number, end: number): number {
  const at = buf.indexOf(CRLF, start)
  if (at < 0 || at >= end) throw new BadReply('a line ends too early')
  return at + 2
}

/** The length in the line buf[start..end). */
function lengthAt(buf: Buffer, start: number, end: number): number {
  return Number(buf.toString('latin1', start + 1, end - 2))
}

/** `element`: the reply to one member of a transaction, of this type. */
function reviseMember(
  client: DispatchClient,
  member: Exclude<Member, { kind: 'cut' }>,
  type: number,
  element: Buffer,
): Buffer {
  const { length } = element
  switch (member.kind) {
    case 'said':
      return member.bytes
    case 'local':
      return client.answerMember(member.spec, member.args)
    case 'amended':
      return encodeReply(amended(client, member.spec, member.args, decodeReply(element, 0, length)))
    case 'corrected':
      return type === ERROR ? element : client.corrected(member.spec, member.asked, element, 0, length)
    case 'script':
      return member.run.revise(errorLine(element))
    case 'strip':
      if (type !== ERROR) return stripReply(member.spec.quirk, element, 0, length, member.prefix)
      return (
        instead(member.spec, errorLine(element)) ?? stripError(member.spec.quirk, errorLine(element), member.prefix)
      )
  }
}

/** Without attributes. */
function errorLine(element: Buffer): Buffer {
  if (element[0] === ERROR) return element
  return Buffer.concat([MINUS, decodeReply(element, 0, element.length).text ?? NONE, CRLF])
}

function amended(client: DispatchClient, spec: CommandSpec, args: StoredArgs, reply: Reply): Reply {
  if (reply.type !== ERROR) spec.quirk.amend?.(reply, args.into(new ArgView()), client.session)
  return reply
}

/** What the client gets in place of this error line. */
function instead(spec: CommandSpec, line: Buffer): Buffer | undefined {
  return spec.quirk.instead?.(line.toString('latin1', 1, line.length - 2))
}

const NONE = Buffer.alloc(0)
const MINUS = Buffer.from('-')
const CRLF = Buffer.from('\r\n')
const OK = Buffer.from('+OK\r\n')
const EXECABORT = Buffer.from('-EXECABORT ')
