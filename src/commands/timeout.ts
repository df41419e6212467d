import type { ArgView } from './arg-view.ts'

/**
 * How long a blocking command may block, in milliseconds: 0 = for ever, undefined = the server will answer an error
 * at once. A wrong `undefined` would block a connection that others share, a wrong number only costs a connection
 * of its own: where this code is not sure, it says that the command blocks.
 */
const FOR_EVER = 0

/** Beyond this (24 days) timers overflow; as good as for ever. */
const LONGEST = 2 ** 31 - 1

/** The longest text that can be a number for the server; nothing above it is looked at. */
const NUMBER_BYTES = 5 * 1024

/** BLPOP and its like: seconds, with fractions, as C's strtold reads them, rounded up to milliseconds. */
export function timeoutSeconds(args: ArgView, i: number): number | undefined {
  if (i >= args.length) return undefined
  const text = args.text(i, NUMBER_BYTES + 1)
  // strtold also takes hexadecimal, "inf" and "nan", which do not all fail on all machines.
  if (!/^[+-]?[0-9.in]/i.test(text)) return undefined
  if (!/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text)) return FOR_EVER
  const milliseconds = Number(text) * 1000
  // -0.0005 rounds up to 0 and blocks for ever; the margin is for the server's wider floating point.
  if (milliseconds < -1.5) return undefined
  return clamp(Math.ceil(milliseconds))
}

/** XREAD's BLOCK: whole milliseconds. */
export function timeoutMilliseconds(args: ArgView, i: number): number | undefined {
  if (i >= args.length) return undefined
  const text = args.text(i, 21)
  if (!/^[0-9]+$/.test(text)) return undefined
  return clamp(Number(text))
}

function clamp(milliseconds: number): number {
  return milliseconds > 0 && milliseconds <= LONGEST ? milliseconds : FOR_EVER
}
