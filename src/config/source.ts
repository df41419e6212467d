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
  // Its own check for keys given twice takes quadratic time; yamlFaults() has one that does not.
  return { doc: parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false }), lines }
}

function usable({ doc }: Parsed): boolean {
  return doc.errors.length === 0
}

function toSource(parsed: Parsed, repairs: readonly Repair[]): Source {
  const faults = yamlFaults(parsed)
  let value: unknown
  try {
    value = restore(parsed.doc.toJS({ maxAliasCount: 100 }), repairs)
    // An alias inside what it stands for makes a value without end, which this throws at.
    JSON.stringify(value)
  } catch {
    const at = lineColumn(parsed, 0)
    if (faults.length === 0) {
      faults.push({
        ...at,
        path: [],
        message: 'the file repeats itself too often, or without end',
        cure: 'use fewer aliases (*name)',
      })
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

/** What is wrong with the YAML itself; only a syntax error hides the rest of the file. */
function yamlFaults(parsed: Parsed): Fault[] {
  const faults: Fault[] = []
  const add = (offset: number, message: string, cure: string, path: Path = []) =>
    faults.push({ ...lineColumn(parsed, offset), path, message, cure })
  const [error] = parsed.doc.errors // what follows a syntax error is mostly its consequence
  if (error !== undefined) {
    const [message, cure] = YAML_WORDS[error.code] ?? [
      `not YAML: ${error.message.replace(/\s+/g, ' ')}`,
      'check quotes, brackets and indentation; quote a value that has : # { } [ ] , & * ! | > % @ or a backquote in it',
    ]
    add(error.pos[0], message, cure)
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
  })
  // Apart from the above: a visitor for maps would take them away from the one for nodes.
  visit(parsed.doc, {
    Map(_, map) {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        const name = String(key.value)
        if (seen.has(name)) add(key.range?.[0] ?? 0, 'this key is given twice', 'keep one of the two')
        seen.add(name)
      }
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
