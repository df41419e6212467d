import type { ArgView } from '../arg-view.ts'
import { pushRest } from '../keys.ts'
import { isOption } from '../option-word.ts'
import type { KeyList, Quirk } from '../spec.ts'

/**
 * SORT and SORT_RO: the key, the destination behind STORE, and the patterns of BY and GET. A pattern becomes the name
 * of a key when the server puts an element in the place of its first `*`. A prefix holds no `*`, so with the prefix in
 * front of the pattern the name begins with it, too, whatever the element is; `->field` stands behind the `*`.
 * https://redis.io/docs/latest/commands/sort/
 */
function keys(args: ArgView, out: KeyList, store: boolean): void {
  out.push(1)
  for (let i = 2; i < args.length; i++) {
    const more = args.length - i - 1
    if (isOption(args, i, 'ASC') || isOption(args, i, 'DESC') || isOption(args, i, 'ALPHA')) continue
    if (more >= 2 && isOption(args, i, 'LIMIT')) i += 2
    else if (more > 0 && store && isOption(args, i, 'STORE')) out.push(++i)
    else if (more > 0 && isOption(args, i, 'BY')) {
      // Without a `*` it reads no key: it says that nothing is to be sorted.
      if (args.includes(++i, STAR)) out.push(i)
    } else if (more > 0 && isOption(args, i, 'GET')) {
      if (!isElement(args, ++i)) out.push(i)
    } else {
      pushRest(out, i + 1, args)
      return
    }
  }
}

/** `GET #` is the element itself; a C string, too. */
function isElement(args: ArgView, i: number): boolean {
  const text = args.text(i, 2)
  return text === '#' || text === '#\0'
}

const STAR = 0x2a

export const quirks: Readonly<Record<string, Quirk>> = {
  sort: { keys: (args, out) => keys(args, out, true) },
  sort_ro: { keys: (args, out) => keys(args, out, false) },
}
