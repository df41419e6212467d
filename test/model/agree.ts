import { decode, type Frame, type Value } from '../helpers/differential.ts'

/**
 * How far the replies of the two worlds have to agree.
 *   exact      byte by byte; whatever is not marked
 *   unordered  the same elements: sets and big hashes have an order of their own in each process
 *   pairs      the same pairs of elements, in any order
 *   scanned    a page of SSCAN: the cursor exactly, the elements unordered
 *   scanpairs  a page of HSCAN or ZSCAN
 *   near       a number, within two minutes: the worlds were told of a relative time at slightly different moments
 *   nearms     the same in milliseconds
 *   idle       exact but for the milliseconds in the third place of each row of XPENDING
 *   shape      types, sizes and nulls: the server chooses, or tells of itself
 */
export const MODES = ['exact', 'unordered', 'pairs', 'scanned', 'scanpairs', 'near', 'nearms', 'idle', 'shape'] as const
export type Mode = (typeof MODES)[number]

const SLACK = 120

export function agree(mode: Mode, left: Frame, right: Frame): boolean {
  if (left === right) return true
  if (mode === 'exact') return false
  return (mode === 'near' || mode === 'nearms') && left[0] === ':' && right[0] === ':'
    ? near(left, right, mode === 'near' ? SLACK : SLACK * 1000)
    : canonical(mode, decode(left)) === canonical(mode, decode(right))
}

/** Negative numbers are answers of another sort: no key, no expiry. */
function near(left: Frame, right: Frame, slack: number): boolean {
  const [a, b] = [Number.parseInt(left.slice(1), 10), Number.parseInt(right.slice(1), 10)]
  return a > 0 && b > 0 && Math.abs(a - b) <= slack
}

/** A text that two replies share when they say the same, however they are ordered. */
function canonical(mode: Mode, value: Value): string {
  const { items } = value
  if (items === undefined)
    return mode === 'shape' && value.text !== undefined && !isError(value) ? value.type : whole(value)
  switch (mode) {
    case 'unordered':
      return sorted(value, 1)
    case 'pairs':
      // RESP3 makes pairs of its own: maps, or arrays of two.
      return sorted(value, items.every((item) => item.items === undefined) ? 2 : 1)
    case 'scanned':
    case 'scanpairs':
      return `${whole(items[0])} ${sorted(items[1], mode === 'scanned' ? 1 : 2)}`
    case 'idle':
      return items.map((row) => row.items?.map((item, i) => (i === 2 ? item.type : whole(item))).join(' ')).join('\n')
    case 'shape':
      return `${value.type}${items.length} ${items.map((item) => canonical(mode, item)).join(' ')}`
    default:
      return whole(value)
  }
}

function isError({ type }: Value): boolean {
  return type === '-' || type === '!'
}

function whole({ type, text, items }: Value): string {
  if (items !== undefined) return `${type}${items.length}(${items.map(whole).join(' ')})`
  return text === undefined ? `${type}null` : `${type}${text.length}:${text}`
}

function sorted(value: Value, step: number): string {
  const items = value.items ?? []
  const groups: string[] = []
  for (let i = 0; i < items.length; i += step)
    groups.push(
      items
        .slice(i, i + step)
        .map(whole)
        .join(' '),
    )
  return `${value.type}${groups.length}(${groups.sort().join(' ')})`
}
