import type { RawClient } from './raw-client.ts'

/**
 * What the differential tests need around a RawClient: requests in, raw reply frames out, nothing tidied on the way.
 * Strings are one character per byte, so binary arguments and whole frames can be written and compared as text.
 */

/** A request's arguments, the command's name first; one character per byte. */
export type Args = readonly string[]

/** One reply as it came, one character per byte. */
export type Frame = string

/** A decoded frame: `text` of scalars (undefined: null), `items` of aggregates (maps: key, value, key, value …). */
export interface Value {
  type: string
  text: string | undefined
  items: Value[] | undefined
}

export function encode(args: Args): string {
  let out = `*${args.length}\r\n`
  for (const arg of args) out += `$${arg.length}\r\n${arg}\r\n`
  return out
}

/** Decodes one whole frame; attributes are dropped. */
export function decode(frame: Frame): Value {
  let pos = 0
  const element = (): Value => {
    const line = frame.indexOf('\r\n', pos)
    const type = frame[pos]
    const head = frame.slice(pos + 1, line)
    pos = line + 2
    const size = Number(head)
    if ('$=!'.includes(type)) {
      if (size < 0) return { type, text: undefined, items: undefined }
      const text = frame.slice(pos, pos + size)
      pos += size + 2
      return { type, text, items: undefined }
    }
    if ('*~>%|'.includes(type)) {
      if (size < 0) return { type, text: undefined, items: undefined }
      const items: Value[] = []
      const elements = type === '%' || type === '|' ? size * 2 : size
      for (let i = 0; i < elements; i++) items.push(element())
      return type === '|' ? element() : { type, text: undefined, items }
    }
    return { type, text: type === '_' ? undefined : head, items: undefined }
  }
  return element()
}

/** The elements of an array, set, push or map (key, value, key, value …) as frames of their own; undefined: no aggregate. */
export function elementsOf(frame: Frame): Frame[] | undefined {
  const size = Number(frame.slice(1, frame.indexOf('\r\n')))
  if (!'*~>%'.includes(frame[0]) || size < 0) return undefined
  const elements: Frame[] = []
  let pos = frame.indexOf('\r\n') + 2
  for (let i = frame[0] === '%' ? 2 * size : size; i > 0; i--) {
    const end = endOf(frame, pos)
    elements.push(frame.slice(pos, end))
    pos = end
  }
  return elements
}

/** Where the element that begins at `from` ends. */
function endOf(frame: Frame, from: number): number {
  let pos = from
  for (let left = 1; left > 0; left--) {
    const type = frame[pos]
    const line = frame.indexOf('\r\n', pos) + 2
    const size = Number(frame.slice(pos + 1, line - 2))
    pos = line
    if ('$=!'.includes(type)) pos += size < 0 ? 0 : size + 2
    else if ('*~>'.includes(type)) left += Math.max(size, 0)
    // What an attribute stands in front of is still to come.
    else if ('%|'.includes(type)) left += 2 * size + (type === '|' ? 1 : 0)
  }
  return pos
}

/** Frames that say the same with another value: types, sizes of aggregates and nulls count; errors count whole. */
export function shapeOf(frame: Frame): string {
  const shape = ({ type, text, items }: Value): string => {
    if (items !== undefined) return `${type}${items.length}[${items.map(shape).join(' ')}]`
    if (type === '-' || type === '!') return `${type}${text}`
    return text === undefined ? `${type}null` : type
  }
  return shape(decode(frame))
}

/** The elements of the frame's outermost aggregate in an order of their own. */
export function sortedForm(frame: Frame): string {
  const whole = (value: Value): string =>
    value.items === undefined ? `${value.type}${value.text}` : `${value.type}(${value.items.map(whole).join(' ')})`
  const value = decode(frame)
  if (value.items === undefined) return whole(value)
  const step = value.type === '%' ? 2 : 1
  const elements: string[] = []
  for (let i = 0; i < value.items.length; i += step)
    elements.push(
      value.items
        .slice(i, i + step)
        .map(whole)
        .join(' '),
    )
  return `${value.type}(${elements.sort().join(' ')})`
}

/** For messages: short, printable, on one line. */
export function show(bytes: string | undefined, most = 300): string {
  if (bytes === undefined) return 'nothing'
  const text = JSON.stringify(bytes)
  return text.length <= most ? text : `${text.slice(0, most)}… (${bytes.length} bytes)`
}

export function showArgs(args: Args): string {
  const words = args.slice(0, 20).map((arg) => (/^[\w:.*$>+-]{1,60}$/.test(arg) ? arg : show(arg, 60)))
  return args.length > 20 ? `${words.join(' ')} … (${args.length} arguments)` : words.join(' ')
}

/** Sends requests in one write and takes one frame for each. */
export async function ask(client: RawClient, requests: readonly Args[]): Promise<Frame[]> {
  client.send(requests.map(encode).join(''))
  return takeFrames(client, requests.length)
}

/** The next frames. When they do not come, throws MissingReplies, which has those that came. */
export async function takeFrames(client: RawClient, count: number): Promise<Frame[]> {
  const frames: Frame[] = []
  try {
    while (frames.length < count) frames.push((await client.reply()).toString('latin1'))
  } catch (error) {
    throw new MissingReplies(`${frames.length} of ${count} replies came: ${String(error)}`, frames)
  }
  return frames
}

export class MissingReplies extends Error {
  readonly frames: readonly Frame[]

  constructor(message: string, frames: readonly Frame[]) {
    super(message)
    this.frames = frames
  }
}
