import type { CommandSpec } from '../../commands/spec.ts'
import { copyBytes } from '../../lib/slab.ts'
import type { Edit, PolicyRequest } from '../policy.ts'

// Requests in place of the client's. They are copied in spans: values are not looked at.

/** The request with `value` (ASCII) in place of argument i, which is not the first. */
export function withArgument(spec: CommandSpec, request: PolicyRequest, i: number, value: string): Edit {
  const { buf, start, end, argc, args } = request
  const from = args[2 * i - 1] + CRLF
  const to = args[2 * i + 1] + CRLF
  const length = `$${value.length}\r\n`
  const out = Buffer.allocUnsafe(end - start - (to - from) + length.length + value.length + CRLF)
  const valueAt = put(length, out, copyBytes(buf, start, from, out, 0))
  const at = put('\r\n', out, put(value, out, valueAt))
  copyBytes(buf, to, end, out, at)
  const offsets = new Int32Array(2 * argc)
  for (let k = 0; k < 2 * argc; k++) offsets[k] = args[k] + (k < 2 * i ? -start : at - to)
  offsets[2 * i] = valueAt
  offsets[2 * i + 1] = valueAt + value.length
  return { spec, buf: out, argc, args: offsets }
}

/** The request with `PX <time>` behind its last argument. */
export function withTime(spec: CommandSpec, request: PolicyRequest, time: number): Edit {
  const { buf, start, end, argc, args } = request
  const digits = `${time}`
  const length = `$${digits.length}\r\n`
  const head = `*${argc + 2}\r\n`
  const from = firstBulk(buf, start)
  const out = Buffer.allocUnsafe(head.length + end - from + PX.length + length.length + digits.length + CRLF)
  const shift = put(head, out, 0) - from
  const moreAt = copyBytes(buf, from, end, out, head.length)
  const digitsAt = put(length, out, put(PX, out, moreAt))
  put('\r\n', out, put(digits, out, digitsAt))
  const offsets = new Int32Array(2 * argc + 4)
  for (let k = 0; k < 2 * argc; k++) offsets[k] = args[k] + shift
  offsets[2 * argc] = moreAt + WORD_AT
  offsets[2 * argc + 1] = moreAt + WORD_AT + 2
  offsets[2 * argc + 2] = digitsAt
  offsets[2 * argc + 3] = digitsAt + digits.length
  return { spec, buf: out, argc: argc + 2, args: offsets }
}

/** The first `count` arguments of the request. */
export function firstArguments(spec: CommandSpec, request: PolicyRequest, count: number): Edit {
  const { buf, start, args } = request
  const head = `*${count}\r\n`
  const from = firstBulk(buf, start)
  const to = args[2 * count - 1] + CRLF
  const out = Buffer.allocUnsafe(head.length + to - from)
  const shift = put(head, out, 0) - from
  copyBytes(buf, from, to, out, head.length)
  return { spec, buf: out, argc: count, args: args.slice(0, 2 * count).map((offset) => offset + shift) }
}

/** Behind the line with the number of arguments. */
function firstBulk(buf: Buffer, start: number): number {
  let at = start
  while (buf[at] !== LF) at++
  return at + 1
}

/** Writes ASCII. Short texts only: for those a loop is several times faster than Buffer.write. Returns where it ends. */
function put(text: string, out: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
  return at
}

const LF = 0x0a
const CRLF = 2
const PX = '$2\r\nPX\r\n'
/** Where the word stands in it. */
const WORD_AT = 4
