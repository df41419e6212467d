import { encodeReply } from '../../resp/reply-decoder.ts'
import { BadReply } from '../../resp/reply-scanner.ts'
import { ERROR, INTEGER } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'

/** A call was answered by an error: it is the job's reply, too. */
export class Refused extends Error {
  /** The frame. */
  readonly reply: Buffer

  constructor(reply: Buffer) {
    super(reply.toString('latin1').trimEnd())
    this.reply = reply
  }
}

/** The reply to a call that answers a number. Throws BadReply when it is neither that nor an error. */
export function readInteger(reply: Reply): number | Refused {
  if (reply.type === ERROR) return new Refused(encodeReply(reply))
  if (reply.type !== INTEGER || reply.text === undefined) throw new BadReply('a number was expected')
  return Number(reply.text.toString('latin1'))
}
