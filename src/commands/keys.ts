import type { ArgView } from './arg-view.ts'
import type { CommandSpec, KeyList, KeySpec } from './spec.ts'

/**
 * The arguments of a request that are keys, into `out`, ascending and without duplicates.
 *
 * The rule behind it: an argument that the server could take for a key must be in `out`, whatever nonsense the
 * request is, because what is not in `out` goes upstream without the tenant's prefix. One that the server will
 * answer with a syntax error may hold too many. So a key spec that cannot be followed to the letter gives every
 * argument from there on. Keyword specs are not followed at all: an option's value may look like the keyword, and
 * an option may come twice. Their commands have a quirk that reads the options in the server's order.
 */
export function findKeys(spec: CommandSpec, args: ArgView, out: KeyList): void {
  out.count = 0
  if (spec.firstKey > 0) {
    pushRange(
      out,
      spec.firstKey,
      spec.lastKey < 0 ? args.length + spec.lastKey : spec.lastKey,
      spec.keyStep,
      args.length,
    )
    return
  }
  if (spec.firstKey === 0) return
  if (spec.quirk.keys !== undefined) spec.quirk.keys(args, out)
  else for (const keySpec of spec.keySpecs) pushSpec(keySpec, args, out)
  sortUnique(out)
}

/** Every argument from `from` on: what is left when a request cannot be understood. */
export function pushRest(out: KeyList, from: number, args: ArgView): void {
  for (let i = from; i < args.length; i++) out.push(i)
}

/** The keys behind a count at argument `keyNum`, the first at `first`. */
export function pushCounted(out: KeyList, keyNum: number, first: number, step: number, args: ArgView): void {
  if (keyNum >= args.length) return
  const count = args.integer(keyNum)
  if (count === undefined || count < 0 || count * step > args.length - first) pushRest(out, first, args)
  else for (let i = 0; i < count; i++) out.push(first + i * step)
}

function pushSpec(spec: KeySpec, args: ArgView, out: KeyList): void {
  const { begin, find } = spec
  if (spec.flags.includes('not_key')) return
  if (begin === 'unknown' || 'keyword' in begin) pushRest(out, 1, args)
  else if (find === 'unknown') pushRest(out, begin.index, args)
  else if ('keyNum' in find) pushCounted(out, begin.index + find.keyNum, begin.index + find.firstKey, find.step, args)
  else if (find.limit > 1) pushRest(out, begin.index, args)
  else
    pushRange(out, begin.index, (find.lastKey < 0 ? args.length : begin.index) + find.lastKey, find.step, args.length)
}

function pushRange(out: KeyList, first: number, last: number, step: number, length: number): void {
  for (let i = first; i <= last && i < length; i += step) out.push(i)
}

function sortUnique(out: KeyList): void {
  let ascending = true
  for (let i = 1; i < out.count && ascending; i++) ascending = out.at[i - 1] < out.at[i]
  if (ascending) return
  const sorted = out.at.subarray(0, out.count).sort()
  let kept = 1
  for (let i = 1; i < sorted.length; i++) if (sorted[i] !== sorted[kept - 1]) sorted[kept++] = sorted[i]
  out.count = kept
}
