import type { ArgView } from '../arg-view.ts'

/** Redis quotes an argument of any length; we stop here, so that an error reply stays small. */
const MOST_BYTES = 64 * 1024

/** Argument i as Redis quotes it in an error text: a C string, so it ends at a NUL, and with blanks for line ends. */
export function quoted(args: ArgView, i: number): string {
  const text = args.text(i, MOST_BYTES)
  const nul = text.indexOf('\0')
  return (nul === -1 ? text : text.slice(0, nul)).replace(/[\r\n]/g, ' ')
}
