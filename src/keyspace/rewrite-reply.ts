import type { Quirk } from '../commands/spec.ts'
import { decodeReply, encodeReply } from '../resp/reply-decoder.ts'
import type { Reply } from '../resp/types.ts'

/** A key in a reply does not begin with the prefix it must have: the reply is not this tenant's. */
export class ForeignKey extends Error {}

/** The reply frame with the prefix taken off every key that the quirk points out. Throws ForeignKey. */
export function stripReply(quirk: Quirk, frame: Buffer, start: number, end: number, prefix: Buffer): Buffer {
  const reply = decodeReply(frame, start, end)
  stripDecoded(quirk, reply, prefix)
  return encodeReply(reply)
}

/** The same on a decoded reply, in place (for an element of EXEC's array). */
export function stripDecoded(quirk: Quirk, reply: Reply, prefix: Buffer): void {
  quirk.reply?.(reply, (key) => {
    const raw = key.text
    if (raw === undefined) return
    if (raw.length < prefix.length || raw.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0) {
      throw new ForeignKey('a key in a reply is outside the prefix of its tenant')
    }
    key.text = raw.subarray(prefix.length)
  })
}

/** An error line with the raw keys of its request turned back into the client's own. */
export function stripError(line: Buffer, rawKeys: readonly Buffer[], prefix: Buffer): Buffer {
  let text = line.toString('latin1')
  for (const raw of rawKeys) {
    const key = raw.toString('latin1')
    if (text.includes(key)) text = text.replaceAll(key, key.slice(prefix.length))
  }
  return Buffer.from(text, 'latin1')
}
