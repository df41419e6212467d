/** One change made to the text so that YAML can read it. Lines and columns count from 1. */
export interface Repair {
  readonly line: number
  readonly column: number
  /** The same place in the mended line. */
  readonly mendedColumn: number
  /** By how many characters the line grew here. */
  readonly added: number
  /** undefined: nothing to tell, a later check finds the value itself wrong. */
  readonly message?: string
  readonly cure?: string
  /** [what stands in the mended text, what stood there]. */
  readonly restore?: readonly [string, string]
}

interface Mended {
  readonly text: string
  readonly repairs: readonly Repair[]
}

/**
 * The slips that make a configuration unreadable as YAML, mended: tabs as indentation, `prefix: acme:` and
 * `address: [::]:6379` without quotes, `{password: ${NAME}}`. A tab's width cannot be known, so there is one
 * candidate per width, the likeliest first; the first that YAML can read is the one.
 */
export function repairText(text: string): readonly Mended[] {
  const tabs = text.split('\n').filter((line) => TABBED.test(line)).length
  const candidates = (tabs === 0 ? [0] : [2, 4, 8]).map((width) => repairLines(text, width, tabs))
  return candidates
    .filter((candidate) => candidate.repairs.length > 0)
    .map((candidate) => ({ candidate, empty: emptyBlocks(candidate.text) }))
    .sort((a, b) => a.empty - b.empty)
    .map(({ candidate }) => candidate)
}

/** A tab in the indentation of a line that says something. */
const TABBED = /^ *\t[ \t]*[^\s#]/

function repairLines(text: string, tabWidth: number, tabs: number): Mended {
  const repairs: Repair[] = []
  const state = { tabs }
  const lines = text.split('\n').map((line, i) => {
    const indented = TABBED.test(line) ? repairIndent(line, i + 1, tabWidth, state, repairs) : { line, grown: 0 }
    return repairSlips(indented.line, i + 1, indented.grown, repairs)
  })
  return { text: lines.join('\n'), repairs }
}

/** Keys with nothing after the colon and nothing indented below: a sign that the width is wrong. */
function emptyBlocks(text: string): number {
  const lines = text.split('\n').filter((line) => /^\s*[^\s#]/.test(line))
  const depth = (line: string) => line.length - line.trimStart().length
  return lines.filter(
    (line, i) => /:\s*(#.*)?$/.test(line) && i + 1 < lines.length && depth(lines[i + 1]) <= depth(line),
  ).length
}

/** Only the first of all tabs is told, with the number of lines that have one. */
function repairIndent(
  line: string,
  number: number,
  tabWidth: number,
  state: { tabs: number },
  repairs: Repair[],
): { line: string; grown: number } {
  const indent = /^[ \t]*/.exec(line)?.[0] ?? ''
  const spaces = indent.replaceAll('\t', ' '.repeat(tabWidth))
  const column = indent.indexOf('\t') + 1
  const grown = spaces.length - indent.length
  const others = state.tabs > 1 ? ` (${state.tabs} lines have one)` : ''
  const told = state.tabs === 0 ? {} : { message: `a tab in the indentation${others}`, cure: 'indent with spaces' }
  state.tabs = 0
  repairs.push({ line: number, column, mendedColumn: column, added: grown, ...told })
  return { line: spaces + line.slice(indent.length), grown }
}

function repairSlips(original: string, number: number, shift: number, repairs: Repair[]): string {
  let line = original
  let grown = shift
  for (const { pattern, explain } of SLIPS) {
    // Each match is replaced once, from left to right; the pattern no longer matches what it left behind.
    for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
      const [, before, slip] = match
      const told = explain(slip)
      const start = before.length
      const added = told.mended.length - slip.length
      repairs.push({ ...told, line: number, column: start + 1 - grown, mendedColumn: start + 1, added })
      line = line.slice(0, start) + told.mended + line.slice(start + slip.length)
      grown += added
    }
  }
  return line
}

interface Slip {
  /** Group 1: what stands before; group 2: the slip. */
  readonly pattern: RegExp
  explain(slip: string): {
    readonly mended: string
    readonly message?: string
    readonly cure?: string
    readonly restore?: readonly [string, string]
  }
}

/** The part of a line before the slip: anything but a comment and an unfinished quote. */
const BEFORE = String.raw`(?:"[^"]*"|'[^']*'|[^"'#]|\S#)*?`
const END = String.raw`(?=\s*(?:[,}#]|$))`

const SLIPS: readonly Slip[] = [
  {
    pattern: new RegExp(String.raw`^(${BEFORE}(?<=^|[\s{,-])prefix:\s+)([^\s"'{}[\],#]*:)${END}`),
    explain: (slip) => ({
      mended: `"${slip}"`,
      message: `${slip} without quotes is a map to YAML, not a prefix`,
      cure: `quote it: prefix: "${slip}"`,
    }),
  },
  {
    pattern: new RegExp(String.raw`^(${BEFORE}(?<=^|[\s{,-])address:\s+)(\[[0-9A-Fa-f:.]*\]:\d+)${END}`),
    explain: (slip) => ({
      mended: `"${slip}"`,
      message: `${slip} without quotes is a list to YAML, not an address`,
      cure: `quote it: address: "${slip}"`,
    }),
  },
  {
    // Same length, so that columns stay: $<NAME> is plain text to YAML where ${NAME} opens a map.
    pattern: new RegExp(String.raw`^(${BEFORE})(\$\{[A-Za-z_][A-Za-z0-9_]*[^}\s"']*\})`),
    explain: (slip) => {
      const mended = `$<${slip.slice(2, -1)}>`
      return { mended, restore: [mended, slip] }
    },
  },
]
