import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import type { Fault, Locate, Path } from './problem.ts'
import { type Repair, repairText } from './repair.ts'

/** What the text says, before anybody asks whether it makes sense. */
export interface Source {
  /** Plain objects, lists, strings, numbers …; undefined when the text cannot be read at all. */
  readonly value: unknown
  readonly locate: Locate
  readonly faults: readonly Fault[]
}

interface Parsed {
  readonly doc: Document
  readonly lines: LineCounter
}

/**
 * Reads YAML (or JSON, its subset). Where the text is not YAML because of a well-known slip, the slip is reported and
 * mended in memory, so that the rest of the file is still checked.
 */
export function readSource(text: string): Source {
  const first = parse(text)
  if (usable(first)) return toSource(first, [])
  const repairs = repairText(text)
  for (const repair of repairs) {
    const second = parse(repair.text)
    if (usable(second)) return toSource(second, repair.repairs)
  }
  const known = (repairs[0]?.repairs ?? []).filter((repair) => repair.message !== undefined)
  const faults = known.length > 0 ? known.map((repair) => asFault(repair, [])) : yamlFaults(first)
  return { value: undefined, locate: () => ({ line: 1, column: 1 }), faults }
}

function parse(text: string): Parsed {
  const lines = new LineCounter()
  return { doc: parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines }
}

/** Duplicate keys and unknown tags are reported, but they do not hide the rest of the file. */
function usable({ doc }: Parsed): boolean {
  return doc.errors.every((error) => error.code === 'DUPLICATE_KEY')
}

function toSource(parsed: Parsed, repairs: readonly Repair[]): Source {
  const faults = yamlFaults(parsed)
  let value: unknown
  try {
    value = restore(parsed.doc.toJS({ maxAliasCount: 100 }), repairs)
  } catch {
    const at = lineColumn(parsed, 0)
    if (faults.length === 0) {
      faults.push({ ...at, path: [], message: 'the file repeats itself too often', cure: 'use fewer aliases (*name)' })
    }
  }
  for (const repair of repairs) {
    if (repair.message !== undefined) faults.push(asFault(repair, pathAt(parsed, repair.line, repair.mendedColumn)))
  }
  return { value, faults, locate: (path, at) => unmend(locate(parsed, path, at), repairs) }
}

function asFault(repair: Repair, path: Path): Fault {
  const { line, column, message = '', cure = '' } = repair
  return { line, column, path, message, cure, mended: true }
}

function lineColumn({ lines }: Parsed, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** Errors of the YAML reader, aliases of nothing and reserved keys. */
function yamlFaults(parsed: Parsed): Fault[] {
  const faults: Fault[] = []
  const add = (offset: number, message: string, cure: string, path: Path = []) =>
    faults.push({ ...lineColumn(parsed, offset), path, message, cure })
  for (const error of parsed.doc.errors) {
    const [message, cure] = YAML_WORDS[error.code] ?? [
      `not YAML: ${error.message.replace(/\s+/g, ' ')}`,
      'check quotes, brackets and indentation; quote a value that has : # { } [ ] , & * ! | > % @ or a backquote in it',
    ]
    add(error.pos[0], message, cure)
    if (error.code !== 'DUPLICATE_KEY') break // what follows a syntax error is mostly its consequence
  }
  for (const warning of parsed.doc.warnings)
    add(warning.pos[0], 'YAML tags mean nothing here', 'remove the !tag, or quote the value')
  const anchors = new Set<string>()
  visit(parsed.doc, {
    Node(_, node) {
      if (isAlias(node)) {
        if (anchors.has(node.source)) return
        const name = `*${node.source}`
        const cure = /^:\d+$/.test(node.source)
          ? `for every interface write 0.0.0.0${node.source}`
          : `quote the value: "${name}"`
        add(node.range?.[0] ?? 0, `${name} is an alias of nothing`, cure)
      } else if (node.anchor !== undefined) anchors.add(node.anchor)
    },
    Pair(_, pair, ancestors) {
      if (!isScalar(pair.key) || pair.key.value !== '__proto__') return
      const path = pathOf([...ancestors, pair])
      add(pair.key.range?.[0] ?? 0, '__proto__ cannot be a name', 'choose another name', path)
    },
  })
  return faults
}

const YAML_WORDS: Record<string, readonly [message: string, cure: string]> = {
  DUPLICATE_KEY: ['this key is given twice', 'keep one of the two'],
  TAB_AS_INDENT: ['a tab in the indentation', 'indent with spaces'],
  MULTIPLE_DOCS: ['more than one document in the file', 'keep one; remove the line "---"'],
}

/** Position of a path in the text; of the nearest ancestor's key where the path is not there. */
function locate(parsed: Parsed, path: Path, at: 'key' | 'value'): { line: number; column: number } {
  let node: unknown = parsed.doc.contents
  let key: Node | undefined
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(parsed.doc)
    if (isMap(node)) {
      const pair = node.items.findLast((item) => isScalar(item.key) && String(item.key.value) === part)
      if (pair === undefined) return offsetOf(parsed, key)
      key = pair.key as Node
      node = pair.value
    } else if (isSeq(node) && node.items[part as number] !== undefined) {
      node = node.items[part as number]
      key = node as Node
    } else return offsetOf(parsed, key)
  }
  if (at === 'key' || (isScalar(node) && node.value === null)) return offsetOf(parsed, key)
  return offsetOf(parsed, (node as Node | null) ?? key)
}

function offsetOf(parsed: Parsed, node: Node | undefined): { line: number; column: number } {
  return lineColumn(parsed, node?.range?.[0] ?? 0)
}

/** The path of the value that starts at this place. */
function pathAt(parsed: Parsed, line: number, column: number): Path {
  let found: Path = []
  visit(parsed.doc, {
    Scalar(part, node, ancestors) {
      if (part === 'key') return undefined
      const at = offsetOf(parsed, node)
      if (at.line !== line || at.column !== column) return undefined
      found = pathOf([...ancestors, node])
      return visit.BREAK
    },
  })
  return found
}

/** The path that leads through these nodes, each inside the one before it. */
function pathOf(chain: readonly unknown[]): Path {
  const path: (string | number)[] = []
  chain.forEach((one, i) => {
    if (isSeq(one)) path.push(one.items.indexOf(chain[i + 1]))
    else if (isPair(one) && isScalar(one.key)) path.push(String(one.key.value))
  })
  return path
}

/** From a column of the mended text to the column that the reader of the file sees. */
function unmend(at: { line: number; column: number }, repairs: readonly Repair[]): { line: number; column: number } {
  let column = at.column
  for (const repair of repairs) {
    if (repair.line === at.line && repair.mendedColumn < at.column) column -= repair.added
  }
  return { line: at.line, column: Math.max(1, column) }
}

/** Puts back what a repair without a message replaced inside strings. */
function restore(value: unknown, repairs: readonly Repair[]): unknown {
  const marked = repairs.filter((repair) => repair.restore !== undefined)
  if (marked.length === 0) return value
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') {
      return marked.reduce((text, repair) => text.replaceAll(repair.restore?.[0] ?? '', repair.restore?.[1] ?? ''), one)
    }
    if (Array.isArray(one)) return one.map(walk)
    if (one !== null && typeof one === 'object') {
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(inner)]))
    }
    return one
  }
  return walk(value)
}
