import fc from 'fast-check'
import type { PlainReply } from './reference-decoder.ts'

/** Random RESP, written by a plain encoder of its own, as text with one character per byte. */

const latin1 = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'))

/** Mostly short text, of bytes that mean something to a RESP parser. */
const special = (maxLength: number) =>
  fc.array(fc.constantFrom(...'\r\n\0*$+-:0123459 \t"\'\\xnab\xff'), { maxLength }).map((chars) => chars.join(''))

export const anyText = fc.oneof(special(12), latin1(12), latin1(300))

const line = anyText.map((text) => text.replace(/[\r\n]/g, '.'))
const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
const double = fc.oneof(
  fc.double().map((n) => (Number.isNaN(n) ? 'nan' : String(n).replace('Infinity', 'inf'))),
  fc.constantFrom('inf', '-inf', 'nan', '1e+20', '-0', '3.0000000000000001'),
)
const bigNumber = fc.bigInt().map(String)

function scalar(type: string, text: string | undefined): PlainReply {
  return { type, text, items: undefined, attribute: undefined }
}

const resp2Scalar = fc.oneof(
  line.map((text) => scalar('+', text)),
  line.map((text) => scalar('-', text)),
  integer.map((text) => scalar(':', text)),
  { weight: 3, arbitrary: anyText.map((text) => scalar('$', text)) },
  fc.constant(scalar('$', undefined)),
  fc.constant(scalar('*', undefined)),
)

const resp3Scalar = fc.oneof(
  { weight: 3, arbitrary: resp2Scalar },
  fc.constant(scalar('_', undefined)),
  fc.constantFrom('t', 'f').map((text) => scalar('#', text)),
  double.map((text) => scalar(',', text)),
  bigNumber.map((text) => scalar('(', text)),
  anyText.map((text) => scalar('!', text)),
  fc.tuple(fc.constantFrom('txt:', 'mkd:'), anyText).map(([format, text]) => scalar('=', format + text)),
)

/** Replies of RESP2 types only. */
export const resp2Reply: fc.Arbitrary<PlainReply> = fc.letrec<{ reply: PlainReply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    resp2Scalar,
    fc.array(tie('reply'), { maxLength: 5 }).map((items): PlainReply => aggregate('*', items)),
  ),
})).reply

function aggregate(type: string, items: PlainReply[]): PlainReply {
  return { type, text: undefined, items, attribute: undefined }
}

/** Pairs for a map, with pushes strewn in that do not count: a lone item is dropped. */
function paired(items: PlainReply[]): PlainReply[] {
  const counting = items.filter((item) => item.type !== '>').length
  return counting % 2 === 0 ? items : [...items, scalar('_', undefined)]
}

/** Replies of all types, with attributes and pushes anywhere. */
export const resp3Reply: fc.Arbitrary<PlainReply> = fc.letrec<{
  reply: PlainReply
  bare: PlainReply
  items: PlainReply[]
}>((tie) => ({
  reply: fc.oneof(
    { weight: 8, arbitrary: tie('bare') },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('bare'), tie('items'), fc.boolean()).map(([bare, items, twice]) => {
        const attribute = aggregate('|', withoutTail(paired(items)))
        if (twice) attribute.attribute = aggregate('|', [])
        return { ...bare, attribute }
      }),
    },
  ),
  bare: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    resp3Scalar,
    fc.tuple(fc.constantFrom('*', '~', '>'), tie('items')).map(([type, items]) => aggregate(type, withoutTail(items))),
    tie('items').map((items) => aggregate('%', withoutTail(paired(items)))),
  ),
  items: fc.array(tie('reply'), { maxLength: 4 }),
})).reply

/** A push behind the last element would stand behind the aggregate. */
function withoutTail(items: PlainReply[]): PlainReply[] {
  let end = items.length
  while (end > 0 && items[end - 1].type === '>') end--
  return items.slice(0, end)
}

export function encodePlain(reply: PlainReply): string {
  const before = reply.attribute === undefined ? '' : encodePlain(reply.attribute)
  const { type, text, items } = reply
  if (items !== undefined) {
    const count = items.filter((item) => item.type !== '>').length
    return `${before}${type}${'%|'.includes(type) ? count / 2 : count}\r\n${items.map(encodePlain).join('')}`
  }
  if (type === '_') return `${before}_\r\n`
  if (text === undefined) return `${before}${type}-1\r\n`
  return '$=!'.includes(type) ? `${before}${type}${text.length}\r\n${text}\r\n` : `${before}${type}${text}\r\n`
}

export interface Mutation {
  kind: 'change' | 'insert' | 'remove' | 'repeat' | 'end'
  at: number
  length: number
  text: string
}

/** Damage to apply to valid bytes; positions are shares of the length, so that they fit any text. */
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('change', 'insert', 'remove', 'repeat', 'end'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 8 }),
    text: fc.oneof(special(3), fc.constantFrom('\r', '\n', '\r\n', '0', '-1', '-', '$', '*', '|1\r\n', '>1\r\n', '_')),
  }),
  { minLength: 1, maxLength: 4 },
)

export function mutate(text: string, damage: readonly Mutation[]): string {
  let result = text
  for (const { kind, at, length, text: piece } of damage) {
    const from = Math.floor(at * result.length)
    const before = result.slice(0, from)
    if (kind === 'change') result = before + piece + result.slice(from + piece.length)
    else if (kind === 'insert') result = before + piece + result.slice(from)
    else if (kind === 'remove') result = before + result.slice(from + length)
    else if (kind === 'repeat') result = before + result.slice(from, from + length) + result.slice(from)
    else result = before
  }
  return result
}

/** Chunk boundaries for a text of any length. */
// Not fc.double: it draws bits evenly, so nearly all of its numbers are next to nothing, and nothing would be cut.
export const cutShares = fc.array(
  fc.integer({ min: 0, max: 1_000_000 }).map((millionths) => millionths / 1_000_000),
  { maxLength: 6 },
)

export function cutsIn(length: number, shares: readonly number[]): number[] {
  return shares.map((share) => Math.floor(share * length)).sort((a, b) => a - b)
}
