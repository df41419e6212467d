import type { ArgView } from '../arg-view.ts'
import type { LocalCall } from '../spec.ts'

/** Redis has no limit; ours keeps CLIENT LIST and the memory of a session small. */
const MOST_BYTES = 1024

/**
 * Argument i, if it may stand in a line of CLIENT LIST: printable ASCII without blanks, which also keeps one client
 * from forging fields or lines in what others read. '' is allowed and takes the name away.
 */
export function clientAttribute(args: ArgView, i: number): string | undefined {
  const text = args.text(i, MOST_BYTES + 1)
  return text.length <= MOST_BYTES && /^[!-~]*$/.test(text) ? text : undefined
}

/** CLIENT SETNAME and HELLO … SETNAME: false when the name is bad, which has been answered then. */
export function setClientName(call: LocalCall, i: number): boolean {
  const name = clientAttribute(call.args, i)
  if (name === undefined) {
    call.reply.error('ERR Client names cannot contain spaces, newlines or special characters.')
    return false
  }
  call.session.name = name
  return true
}
