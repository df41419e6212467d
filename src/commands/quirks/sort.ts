import type { ArgView } from '../arg-view.ts'
import { pushRest } from '../keys.ts'
import type { KeyList, Quirk } from '../spec.ts'

/** The pattern option that was read last by `readOptions`, '' when there was none. */
let pattern: '' | 'BY' | 'GET' = ''

/**
 * SORT and SORT_RO: the key, and behind STORE the destination. BY and GET name keys by a pattern that only the
 * server can fill in.
 */
function readOptions(args: ArgView, out: KeyList | undefined, store: boolean): void {
  pattern = ''
  out?.push(1)
  for (let i = 2; i < args.length; i++) {
    const more = args.length - i - 1
    if (args.is(i, 'ASC') || args.is(i, 'DESC') || args.is(i, 'ALPHA')) continue
    if (more >= 2 && args.is(i, 'LIMIT')) i += 2
    else if (more > 0 && store && args.is(i, 'STORE')) {
      i++
      out?.push(i)
    } else if (more > 0 && args.is(i, 'BY')) {
      pattern = 'BY'
      i++
    } else if (more > 0 && args.is(i, 'GET')) {
      pattern = 'GET'
      i++
    } else {
      if (out !== undefined) pushRest(out, i + 1, args)
      return
    }
  }
}

function refuses(args: ArgView, store: boolean): string | undefined {
  readOptions(args, undefined, store)
  return pattern === '' ? undefined : `the keys that ${pattern} reads sit in a pattern`
}

export const quirks: Readonly<Record<string, Quirk>> = {
  sort: { keys: (args, out) => readOptions(args, out, true), refuses: (args) => refuses(args, true) },
  sort_ro: { keys: (args, out) => readOptions(args, out, false), refuses: (args) => refuses(args, false) },
}
