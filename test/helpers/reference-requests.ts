import type { ReadOptions, ReadOutcome } from './read-requests.ts'
import { DEFAULT_LIMITS } from './read-requests.ts'

const LINE_MAX = 65536

/**
 * Requests read the plain way, from one whole text with one character per byte: what the RequestReader is compared
 * with, however its bytes are cut. Shares no code with it.
 */
export function referenceRequests(text: string, options: ReadOptions = {}): ReadOutcome {
  const limits = options.limits ?? DEFAULT_LIMITS
  const authenticated = options.authenticated ?? true
  const requests: string[][] = []
  const frames: string[] = []
  let pos = 0
  while (pos < text.length) {
    const next = readOne(text.slice(pos), limits.bulk, authenticated)
    if ('incomplete' in next) {
      const held = text.length - pos
      if (held > limits.buffer) return { requests, frames, end: 'limit', pendingBytes: 0 }
      return { requests, frames, end: undefined, pendingBytes: held }
    }
    if (next.size > limits.buffer) return { requests, frames, end: 'limit', pendingBytes: 0 }
    if ('error' in next) return { requests, frames, end: `ERR Protocol error: ${next.error}`, pendingBytes: 0 }
    if (next.args.length > 0) {
      requests.push(next.args)
      frames.push(`*${next.args.length}\r\n${next.args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`)
    }
    pos += next.size
  }
  return { requests, frames, end: undefined, pendingBytes: 0 }
}

type One = { incomplete: true } | { error: string; size: number } | { args: string[]; size: number }

/** The first request of a text that is not empty. */
function readOne(text: string, maxBulk: number, authenticated: boolean): One {
  if (text[0] !== '*') return readInline(text)
  const first = lineAt(text, 0, '\r')
  if (first === undefined) return { incomplete: true }
  if (first < 0) return { error: 'too big mbulk count string', size: LINE_MAX + 1 }
  const count = integer(text.slice(1, first))
  let pos = first + 2
  if (count === undefined || count > 2n ** 31n - 1n) return { error: 'invalid multibulk length', size: pos }
  if (count > 10n && !authenticated) return { error: 'unauthenticated multibulk length', size: pos }
  const args: string[] = []
  while (args.length < count) {
    const end = lineAt(text, pos, '\r')
    if (end === undefined) return { incomplete: true }
    if (end < 0) return { error: 'too big bulk count string', size: pos + LINE_MAX + 1 }
    const start = end + 2
    const head = text[pos]
    if (head !== '$') return { error: `expected '$', got '${'\r\n'.includes(head) ? ' ' : head}'`, size: start }
    const length = integer(text.slice(pos + 1, end))
    if (length === undefined || length < 0n || length > maxBulk) return { error: 'invalid bulk length', size: start }
    if (length > 16384n && !authenticated) return { error: 'unauthenticated bulk length', size: start }
    pos = start + Number(length) + 2
    if (pos > text.length) return { incomplete: true }
    args.push(text.slice(start, pos - 2))
  }
  return { args, size: pos }
}

function readInline(text: string): One {
  const end = lineAt(text, 0, '\n')
  if (end === undefined) return { incomplete: true }
  if (end < 0) return { error: 'too big inline request', size: LINE_MAX + 1 }
  const args = splitLine(text.slice(0, end).replace(/\r$/, ''))
  return args === undefined ? { error: 'unbalanced quotes in request', size: end + 1 } : { args, size: end + 1 }
}

/** Where the line at `from` ends; undefined if that is not known yet, -1 if the line is too long. */
function lineAt(text: string, from: number, last: '\r' | '\n'): number | undefined {
  const rest = text.slice(from, from + LINE_MAX + 1)
  const nul = rest.indexOf('\0')
  const end = (nul < 0 ? rest : rest.slice(0, nul)).indexOf(last)
  if (end < 0) return text.length - from > LINE_MAX ? -1 : undefined
  if (last === '\r' && from + end + 1 === text.length) return undefined
  return from + end
}

function integer(text: string): bigint | undefined {
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return undefined
  const value = BigInt(text)
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined
}

/** Arguments of an inline request; undefined when quotes are unbalanced. */
function splitLine(line: string): string[] | undefined {
  const args: string[] = []
  let rest = line
  for (;;) {
    rest = rest.replace(/^[ \t\n\v\f\r]+/, '')
    if (rest === '') return args
    // Text up to a quote or a blank, then perhaps one quoted part, which ends the argument.
    const bare = /^[^ \t\n\r"']*/.exec(rest)?.[0] as string
    rest = rest.slice(bare.length)
    if (!/^["']/.test(rest)) {
      args.push(bare)
      continue
    }
    const quoted = rest[0] === '"' ? /^"((?:\\[\s\S]|[^"\\])*)"/.exec(rest) : /^'((?:\\'|\\(?!')|[^'\\])*)'/.exec(rest)
    if (quoted === null) return undefined
    rest = rest.slice(quoted[0].length)
    if (rest !== '' && !/^[ \t\n\v\f\r]/.test(rest)) return undefined
    args.push(bare + (quoted[0][0] === '"' ? unescape(quoted[1]) : quoted[1].replaceAll("\\'", "'")))
  }
}

function unescape(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[\s\S])/g, (_, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }[code] ?? code
  })
}
