/**
 * RESP2 and RESP3 replies decoded the plain recursive way, from text with one character per byte: what the scanner and
 * the decoder are compared with. It shares no code with them, and is as strict.
 */
export interface PlainReply {
  type: string
  /** undefined: a null or an aggregate. */
  text: string | undefined
  items: PlainReply[] | undefined
  attribute: PlainReply | undefined
}

export type Decoded = { state: 'whole'; end: number; reply: PlainReply } | { state: 'incomplete' } | { state: 'bad' }

const LENGTH = /^(?:0|[1-9][0-9]*)$/
const NULLABLE = /^(?:0|[1-9][0-9]*|-1)$/
const LENGTH_SO_FAR = /^(?:0|[1-9][0-9]*)?$/
const NULLABLE_SO_FAR = /^(?:0|[1-9][0-9]*|-1?)?$/

/** Of each type: what its line must look like, and what the beginning of its line must look like. */
const LINES: Record<string, [RegExp, RegExp]> = {
  '+': [/^[\s\S]*$/, /^[\s\S]*$/],
  '-': [/^[\s\S]*$/, /^[\s\S]*$/],
  ':': [/^[+-]?[0-9]{1,19}$/, /^[+-]?[0-9]{0,19}$/],
  '(': [/^[+-]?[0-9]+$/, /^[+-]?[0-9]*$/],
  ',': [/^[-+.eEinfa0-9]+$/, /^[-+.eEinfa0-9]*$/],
  '#': [/^[tf]$/, /^[tf]?$/],
  _: [/^$/, /^$/],
  $: [NULLABLE, NULLABLE_SO_FAR],
  '*': [NULLABLE, NULLABLE_SO_FAR],
  '=': [LENGTH, LENGTH_SO_FAR],
  '!': [LENGTH, LENGTH_SO_FAR],
  '%': [LENGTH, LENGTH_SO_FAR],
  '~': [LENGTH, LENGTH_SO_FAR],
  '>': [LENGTH, LENGTH_SO_FAR],
  '|': [LENGTH, LENGTH_SO_FAR],
}

class Incomplete extends Error {}
class Bad extends Error {}

export function referenceDecode(text: string, start = 0, maxDepth = 128): Decoded {
  let pos = start
  try {
    const reply = element(0)
    return { state: 'whole', end: pos, reply }
  } catch (error) {
    if (error instanceof Incomplete) return { state: 'incomplete' }
    if (error instanceof Bad) return { state: 'bad' }
    throw error
  }

  function element(depth: number): PlainReply {
    if (pos >= text.length) throw new Incomplete()
    const type = text[pos++]
    if (!Object.hasOwn(LINES, type)) throw new Bad()
    const reply = body(type, depth)
    if (type !== '|') return reply
    const described = element(depth)
    // Several attributes stand in a row: each belongs to what follows it.
    let first = described
    while (first.attribute !== undefined) first = first.attribute
    first.attribute = reply
    return described
  }

  function body(type: string, depth: number): PlainReply {
    const line = readLine(type)
    if (!'$*=!%~>|'.includes(type)) return plain(type, type === '_' ? undefined : line, undefined)
    const length = Number(line)
    if (length < 0) return plain(type, undefined, undefined)
    if ('$=!'.includes(type)) {
      if (type === '=' && length < 4) throw new Bad()
      const payload = text.slice(pos, pos + length)
      const behind = text.slice(pos + length, pos + length + 2)
      if (!'\r\n'.startsWith(behind)) throw new Bad()
      if (behind.length < 2) throw new Incomplete()
      pos += length + 2
      return plain(type, payload, undefined)
    }
    if (length > 0 && depth === maxDepth) throw new Bad()
    const items: PlainReply[] = []
    let left = '%|'.includes(type) ? 2 * length : length
    while (left > 0) {
      const item = element(depth + 1)
      items.push(item)
      if (item.type !== '>') left--
    }
    return plain(type, undefined, items)
  }

  function readLine(type: string): string {
    const [whole, soFar] = LINES[type]
    const end = text.slice(pos).search(/[\r\n]/)
    const line = end < 0 ? text.slice(pos) : text.slice(pos, pos + end)
    if (!(end < 0 ? soFar : whole).test(line)) throw new Bad()
    if ('$*=!%~>|'.includes(type) && Number(line) > 1e15) throw new Bad()
    if (end < 0) throw new Incomplete()
    if (text[pos + end] === '\n') throw new Bad()
    if (pos + end + 1 === text.length) throw new Incomplete()
    if (text[pos + end + 1] !== '\n') throw new Bad()
    pos += end + 2
    return line
  }
}

function plain(type: string, text: string | undefined, items: PlainReply[] | undefined): PlainReply {
  return { type, text, items, attribute: undefined }
}
