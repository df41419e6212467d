import type { KeySpec } from './key-spec.ts'

/** The hot path's view of a command's keys; see CommandSpec.firstKey. */
export interface KeyRange {
  readonly first: number
  readonly last: number
  readonly step: number
}

const NONE: KeyRange = { first: 0, last: 0, step: 0 }
const NOT_FIXED: KeyRange = { first: -1, last: 0, step: 0 }

/**
 * One range that covers exactly the arguments that all key specs name together, or NOT_FIXED when there is none.
 * RENAME has a spec for each of its two keys: together they are arguments 1 to 2.
 */
export function keyRange(specs: readonly KeySpec[]): KeyRange {
  const keys = specs.filter((spec) => !spec.flags.includes('not_key'))
  if (keys.length === 0) return NONE
  let whole: KeyRange | undefined
  for (const spec of keys) {
    const part = rangeOf(spec)
    if (part === undefined) return NOT_FIXED
    if (whole === undefined) whole = part
    else if (whole.step === 1 && part.step === 1 && part.first === whole.last + 1)
      whole = { ...part, first: whole.first }
    else return NOT_FIXED
  }
  return whole as KeyRange
}

function rangeOf(spec: KeySpec): KeyRange | undefined {
  const { begin, find } = spec
  if (begin === 'unknown' || !('index' in begin)) return undefined
  if (find === 'unknown' || !('lastKey' in find) || find.limit !== 0) return undefined
  // A negative last key counts from the end of the request, one from 0 on from the first key.
  const last = find.lastKey < 0 ? find.lastKey : begin.index + find.lastKey
  return { first: begin.index, last, step: last === begin.index ? 1 : find.step }
}
