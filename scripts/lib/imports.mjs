/** The rules about imports inside src: ranks, index files, cycles. Type imports count: what a type needs is a dependency. */
import { posix } from 'node:path'

const RANKS = {
  'main.ts': 10,
  cli: 9,
  admin: 8,
  'proxy.ts': 7,
  'operator.ts': 6,
  'doors.ts': 6,
  'upstream-set.ts': 6,
  config: 6,
  client: 5,
  policies: 4,
  keyspace: 4,
  upstream: 4,
  commands: 3,
  session: 2,
  resp: 1,
  'errors.ts': 1,
  lib: 0,
}

/**
 * @param {ReadonlyMap<string, string>} files text by path inside src ("client/listener.ts")
 * @returns {string[]} one line for each broken rule, with what to do instead
 */
export function brokenImportRules(files) {
  const problems = []
  const graph = new Map()
  for (const [file, text] of files) {
    const part = partOf(file)
    if (RANKS[part] === undefined) {
      problems.push(
        `src/${file}: ${part} has no rank. A stage of its own needs a row in scripts/lib/imports.mjs; else put the file into the stage where its caller is`,
      )
    }
    const targets = []
    for (const { specifier, line } of importsOf(text)) {
      if (!specifier.startsWith('.')) continue
      const target = posix.normalize(posix.join(posix.dirname(file), specifier))
      const where = `src/${file}:${line}`
      if (target.startsWith('..')) {
        problems.push(`${where} imports ${specifier}, outside src. What ships must not need tests or scripts`)
        continue
      }
      targets.push(target)
      const problem = rankProblem(part, partOf(target), target) ?? indexProblem(file, target)
      if (problem !== undefined) problems.push(`${where} ${problem}`)
    }
    graph.set(file, targets)
  }
  for (const cycle of cycles(graph)) {
    problems.push(
      `${cycle.map((file) => `src/${file}`).join(' -> ')} -> back: a cycle. Let the one that needs something declare the interface; proxy.ts (or the folder's index.ts) puts the two together`,
    )
  }
  return problems
}

/** Top folder, or the file itself at the top of src. */
function partOf(file) {
  return file.split('/')[0]
}

function rankProblem(from, to, target) {
  if (from === to || RANKS[from] === undefined || RANKS[to] === undefined || RANKS[to] < RANKS[from]) return undefined
  if (RANKS[to] === RANKS[from]) {
    return `may not import src/${target}: ${name(from)} and ${name(to)} are siblings of rank ${RANKS[from]}. Declare an interface for what ${name(from)} needs inside ${name(from)}, and let proxy.ts fill it`
  }
  return `may not import src/${target}: imports point down, and ${name(from)} is rank ${RANKS[from]}, ${name(to)} rank ${RANKS[to]}. Declare an interface for what is needed inside ${name(from)} (its owner is the side that needs it) and let proxy.ts fill it, or move the code that both need to a rank below`
}

function name(part) {
  return part.replace(/\.ts$/, '')
}

/** index.ts is a folder's face to the outside; its own files name each other. */
function indexProblem(file, target) {
  if (posix.basename(target) !== 'index.ts') return undefined
  const folder = posix.dirname(target)
  if (!`${posix.dirname(file)}/`.startsWith(`${folder}/`)) return undefined
  return `may not import src/${target}, the list that outsiders read. Import the file that has what you need; if that is the list itself, take it as an argument`
}

/** Static, type, re-export and dynamic imports with their lines. */
function importsOf(text) {
  const found = []
  const pattern = /^\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*(['"])([^'"]+)\1|\bimport\(\s*(['"])([^'"]+)\3/gm
  for (const match of text.matchAll(pattern)) {
    const start = match.index + (match[0].length - match[0].trimStart().length)
    found.push({ specifier: match[2] ?? match[4], line: text.slice(0, start).split('\n').length })
  }
  return found
}

/** One path round each knot of files that import each other. */
function cycles(graph) {
  const found = []
  const state = new Map()
  const path = []
  const visit = (file) => {
    state.set(file, 'open')
    path.push(file)
    for (const target of graph.get(file) ?? []) {
      if (!graph.has(target)) continue
      if (state.get(target) === 'open') found.push(path.slice(path.indexOf(target)))
      else if (state.get(target) === undefined) visit(target)
    }
    path.pop()
    state.set(file, 'done')
  }
  for (const file of graph.keys()) {
    if (state.get(file) === undefined) visit(file)
  }
  return found
}
