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

/** The same on a decoded reply, in place. */
function stripDecoded(quirk: Quirk, reply: Reply, prefix: Buffer): void {
  quirk.reply?.(reply, (key) => {
    const raw = key.text
    if (raw === undefined) return
    if (raw.length < prefix.length || raw.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0) {
      throw new ForeignKey('a key in a reply is outside the prefix of its tenant')
    }
    key.text = raw.subarray(prefix.length)
  })
}

/** An error line (with its `-` and CRLF) whose raw key, where the quirk says there is one, is the client's own again. */
export function stripError(quirk: Quirk, line: Buffer, prefix: Buffer): Buffer {
  const at = quirk.errorKey?.(line.subarray(1), prefix) ?? -1
  if (at < 0 || line.indexOf(prefix, at + 1) !== at + 1) return line
  return Buffer.concat([line.subarray(0, at + 1), line.subarray(at + 1 + prefix.length)])
}
