import { globMatches } from '../lib/glob.ts'
import type { MessageFrame } from '../resp/message.ts'

/*
 * Messages as a tenant's clients get them: in RESP2 form, names without the prefix. RESP3 differs in the first byte.
 * https://redis.io/docs/latest/develop/pubsub/
 */

/** Channels on which Keyward's processes talk to each other begin with it; no tenant's prefix does. */
export const OWN_CHANNELS = 'keyward:'

/** `message` or `smessage` (a frame of three): the frame with the first `prefix` bytes of the channel left out. */
export function channelMessage(word: string, message: MessageFrame, prefix: number): Buffer {
  const from = message.starts[1] + prefix
  const to = message.ends[1]
  const head = `*3\r\n$${word.length}\r\n${word}\r\n$${to - from}\r\n`
  const rest = message.lastElement
  const frame = Buffer.allocUnsafe(head.length + to - from + 2 + message.end - rest)
  let at = frame.write(head, 0, 'latin1')
  at += message.buf.copy(frame, at, from, to)
  at = writeEnd(frame, at)
  message.buf.copy(frame, at, rest, message.end)
  return frame
}

/** `pmessage`: the tenant's own pattern, and the channel without the first `prefix` bytes. */
export function patternMessage(pattern: Buffer, message: MessageFrame, prefix: number): Buffer {
  const from = message.starts[2] + prefix
  const to = message.ends[2]
  const head = `*4\r\n$8\r\npmessage\r\n$${pattern.length}\r\n`
  const middle = `$${to - from}\r\n`
  const rest = message.lastElement
  const size = head.length + pattern.length + 2 + middle.length + to - from + 2 + message.end - rest
  const frame = Buffer.allocUnsafe(size)
  let at = frame.write(head, 0, 'latin1')
  at += pattern.copy(frame, at)
  at = writeEnd(frame, at)
  at += frame.write(middle, at, 'latin1')
  at += message.buf.copy(frame, at, from, to)
  at = writeEnd(frame, at)
  message.buf.copy(frame, at, rest, message.end)
  return frame
}

/** A frame made of bulk strings. */
export function frameOf(elements: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${elements.length}\r\n`)]
  for (const element of elements) parts.push(Buffer.from(`$${element.length}\r\n`), element, CRLF)
  return Buffer.concat(parts)
}

/** The same frame for RESP3: a push. */
export function asPush(frame: Buffer): Buffer {
  const push = Buffer.from(frame)
  push[0] = 0x3e
  return push
}

function writeEnd(buf: Buffer, at: number): number {
  buf[at] = 0x0d
  buf[at + 1] = 0x0a
  return at + 2
}

const CRLF = Buffer.from('\r\n')

/** Bytes of a tenant's pattern, of the longest prefix in front of it, and of a name: matched in some 30 ms at the worst. */
export const LONGEST_PATTERN = 1024
const LONGEST_PREFIX = 128
const LONGEST_MATCHED = 16 * 1024

/**
 * Does the channel match the pattern? Time grows with the product of their lengths, and is taken from all tenants, so
 * names and patterns that are longer than anybody needs match nothing.
 */
export function channelMatches(pattern: Buffer, channel: Buffer): boolean {
  if (pattern.length > LONGEST_PATTERN + LONGEST_PREFIX || channel.length > LONGEST_MATCHED) return false
  return globMatches(pattern, channel)
}
