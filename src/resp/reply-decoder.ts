import { BadReply } from './reply-scanner.ts'
import { ARRAY, ATTRIBUTE, BLOB_ERROR, BULK, MAP, NULL, PUSH, SET, VERBATIM } from './type-bytes.ts'
import type { Reply } from './types.ts'

const CR = 0x0d
const LF = 0x0a
const ZERO = 0x30
const MAX_DEPTH = 128

/**
 * Decodes the reply buf[start..end), which a ReplyScanner has found to be whole. Texts are views of `buf`. Throws
 * BadReply if the bytes are not exactly one reply, also over 128 levels or as many attributes in a row, which no
 * reply has that is decoded.
 */
export function decodeReply(buf: Buffer, start: number, end: number): Reply {
  const decoder = new Decoder(buf, start, end)
  const reply = decoder.element(0)
  if (decoder.pos !== end) throw new BadReply('bytes behind the reply')
  return reply
}

/** The bytes of a reply: what decodeReply() read if nothing has been changed. */
export function encodeReply(reply: Reply): Buffer {
  const buf = Buffer.allocUnsafe(sizeOf(reply))
  write(reply, buf, 0)
  return buf
}

class Decoder {
  pos: number
  private readonly buf: Buffer
  private readonly end: number

  constructor(buf: Buffer, start: number, end: number) {
    this.buf = buf
    this.pos = start
    this.end = end
  }

  /** Recursive, so its depth has a limit. */
  element(depth: number): Reply {
    let attribute: Reply | undefined
    for (let inRow = 1; this.pos < this.end && this.buf[this.pos] === ATTRIBUTE; inRow++) {
      // Each is a level of recursion when it is written again.
      if (inRow > MAX_DEPTH) throw new BadReply(`more than ${MAX_DEPTH} attributes in a row`)
      const next = this.plain(depth)
      next.attribute = attribute
      attribute = next
    }
    const reply = this.plain(depth)
    reply.attribute = attribute
    return reply
  }

  private plain(depth: number): Reply {
    const type = this.buf[this.pos]
    const reply: Reply = { type, text: undefined, items: undefined, attribute: undefined }
    const from = this.pos + 1
    const to = this.line()
    if (type === NULL) return reply
    if (!isAggregate(type) && !isBlob(type)) {
      reply.text = this.buf.subarray(from, to)
      return reply
    }
    const length = this.length(from, to)
    if (length < 0) return reply
    if (isBlob(type)) {
      reply.text = this.buf.subarray(this.pos, this.pos + length)
      this.pos += length + 2
      if (this.pos > this.end) throw new BadReply('reply ends too early')
      return reply
    }
    if (length > 0 && depth === MAX_DEPTH) throw new BadReply(`more than ${MAX_DEPTH} levels deep`)
    reply.items = []
    let left = isPaired(type) ? 2 * length : length
    while (left > 0) {
      const item = this.element(depth + 1)
      reply.items.push(item)
      if (item.type !== PUSH) left--
    }
    return reply
  }

  /** Goes behind the line at hand and returns where its CRLF begins. */
  private line(): number {
    const { buf, end } = this
    let at = this.pos
    while (at < end && buf[at] !== CR) at++
    if (at + 1 >= end || buf[at + 1] !== LF) throw new BadReply('reply ends too early')
    this.pos = at + 2
    return at
  }

  private length(from: number, to: number): number {
    if (this.buf[from] === 0x2d) return -1
    let length = 0
    for (let at = from; at < to; at++) length = length * 10 + this.buf[at] - ZERO
    return length
  }
}

function isBlob(type: number): boolean {
  return type === BULK || type === BLOB_ERROR || type === VERBATIM
}

function isAggregate(type: number): boolean {
  return type === ARRAY || type === SET || type === PUSH || isPaired(type)
}

function isPaired(type: number): boolean {
  return type === MAP || type === ATTRIBUTE
}

/** The line that begins an element: its type byte, and its text or length. CRLF is not included. */
function lengthOf(reply: Reply): number {
  if (reply.items === undefined) return reply.text === undefined ? -1 : reply.text.length
  let count = 0
  for (const item of reply.items) if (item.type !== PUSH) count++
  return isPaired(reply.type) ? count / 2 : count
}

function sizeOf(reply: Reply): number {
  const { type, text, items } = reply
  let size = reply.attribute === undefined ? 0 : sizeOf(reply.attribute)
  if (type === NULL) return size + 3
  if (text !== undefined && !isBlob(type)) return size + text.length + 3
  size += String(lengthOf(reply)).length + 3
  if (text !== undefined) size += text.length + 2
  if (items !== undefined) for (const item of items) size += sizeOf(item)
  return size
}

function write(reply: Reply, buf: Buffer, start: number): number {
  const { type, text, items } = reply
  let pos = reply.attribute === undefined ? start : write(reply.attribute, buf, start)
  buf[pos++] = type
  if (text !== undefined && !isBlob(type)) pos += text.copy(buf, pos)
  else if (type !== NULL) pos += buf.write(String(lengthOf(reply)), pos, 'latin1')
  pos = writeEnd(buf, pos)
  if (text !== undefined && isBlob(type)) pos = writeEnd(buf, pos + text.copy(buf, pos))
  if (items !== undefined) for (const item of items) pos = write(item, buf, pos)
  return pos
}

function writeEnd(buf: Buffer, pos: number): number {
  buf[pos] = CR
  buf[pos + 1] = LF
  return pos + 2
}
