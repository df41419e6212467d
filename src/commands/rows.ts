import { FLAG, type KeySpec } from './spec.ts'

/**
 * One row of the generated table, taken apart. A row is one line:
 *
 *   name arity flags categories keyspecs [@server,server]
 *
 * `-` stands for an empty field. A key spec is begin/find/flags, several are joined by `;`:
 *   begin  3 (argument 3), STREAMS@1 (behind this word, searched from argument 1 on), ? (not told)
 *   find   last,step,limit (a range)  or  #keynum,first,step (counted by an argument)  or  ? (not told)
 * A row with @ exists, or looks like this, only on the servers named there.
 */
export interface Row {
  readonly name: string
  readonly arity: number
  /** In the server's words: "write", "no_auth" … */
  readonly flags: readonly string[]
  /** Without the @. */
  readonly categories: readonly string[]
  readonly keySpecs: readonly KeySpec[]
  /** "redis-7.0.15"; empty when all servers agree. */
  readonly servers: readonly string[]
}

export function parseRow(line: string): Row {
  const [name, arity, flags, categories, keySpecs, servers = '@'] = line.split(' ')
  return {
    name,
    arity: Number(arity),
    flags: words(flags),
    categories: words(categories),
    keySpecs: keySpecs === '-' ? [] : keySpecs.split(';').map(parseKeySpec),
    servers: servers === '@' ? [] : servers.slice(1).split(','),
  }
}

/** FLAG bits of a row's flags; words without a bit are left out. */
export function flagBits(flags: readonly string[]): number {
  let bits = 0
  for (const flag of flags) bits |= (FLAG as Readonly<Record<string, number>>)[flag.toUpperCase()] ?? 0
  return bits
}

function parseKeySpec(text: string): KeySpec {
  const [begin, find, flags] = text.split('/')
  return { begin: parseBegin(begin), find: parseFind(find), flags: words(flags) }
}

function parseBegin(text: string): KeySpec['begin'] {
  if (text === '?') return 'unknown'
  const at = text.lastIndexOf('@')
  if (at === -1) return { index: Number(text) }
  return { keyword: text.slice(0, at), startFrom: Number(text.slice(at + 1)) }
}

function parseFind(text: string): KeySpec['find'] {
  if (text === '?') return 'unknown'
  if (text.startsWith('#')) {
    const [keyNum, firstKey, step] = text.slice(1).split(',').map(Number)
    return { keyNum, firstKey, step }
  }
  const [lastKey, step, limit] = text.split(',').map(Number)
  return { lastKey, step, limit }
}

function words(text: string): string[] {
  return text === '-' ? [] : text.split(',')
}
