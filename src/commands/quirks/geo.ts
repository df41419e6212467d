import type { ArgView } from '../arg-view.ts'
import { pushRest } from '../keys.ts'
import { isOption } from '../option-word.ts'
import type { KeyList, Quirk } from '../spec.ts'

/**
 * GEORADIUS and GEORADIUSBYMEMBER: the key, and the destinations behind STORE and STOREDIST. Either may come more
 * than once, the last wins; all go into `out`.
 */
function keys(args: ArgView, out: KeyList, options: number): void {
  out.push(1)
  for (let i = options; i < args.length; i++) {
    const more = args.length - i - 1
    if (more > 0 && (isOption(args, i, 'STORE') || isOption(args, i, 'STOREDIST'))) out.push(++i)
    else if (more > 0 && isOption(args, i, 'COUNT')) i++
    else if (!isPlain(args, i)) {
      pushRest(out, i + 1, args)
      return
    }
  }
}

function isPlain(args: ArgView, i: number): boolean {
  for (const word of PLAIN) if (isOption(args, i, word)) return true
  return false
}

const PLAIN = ['WITHDIST', 'WITHHASH', 'WITHCOORD', 'ANY', 'ASC', 'DESC'] as const

export const quirks: Readonly<Record<string, Quirk>> = {
  georadius: { keys: (args, out) => keys(args, out, 6) },
  georadiusbymember: { keys: (args, out) => keys(args, out, 5) },
}
