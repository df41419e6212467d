import type { z } from 'zod'
import { nearest } from '../lib/nearest.ts'
import { WRONG } from './leaf.ts'
import { keysAt, type Outline, outline, placesOf, requiredAt } from './outline.ts'
import type { Path, Report } from './problem.ts'
import { type FileShape, fileSchema } from './schema.ts'
import { show } from './units.ts'

type Issue = z.core.$ZodIssue

/**
 * Checks the shape and every single value. What is wrong is reported and taken out, and the rest is returned: the
 * rules between keys are then checked on it, so that one run tells everything. undefined: nothing is left.
 */
export function validate(value: unknown, report: Report): FileShape | undefined {
  const pruned = copy(value)
  for (const { path, name, whole } of variables(pruned, [])) {
    report.add(path, `\${${name}} is not expanded`, variableCure(path, name, whole))
    prune(pruned, path)
  }
  let made: Outline | undefined
  // Takes milliseconds, and there may be thousands of issues, or none.
  const tree = () => (made ??= outline())
  // First round: what is there and wrong. Second: required keys that the first took out. Third: nothing. One more where
  // a variable stood for a map in a list.
  for (let round = 0; round < 4; round++) {
    const result = fileSchema.safeParse(pruned)
    if (result.success) return result.data
    for (const issue of result.error.issues) take(issue, pruned, tree, report)
    if (result.error.issues.some((issue) => issue.path.length === 0 && issue.code !== 'unrecognized_keys'))
      return undefined
  }
  return undefined
}

/** Reports one issue and removes its cause. */
function take(issue: Issue, value: unknown, tree: () => Outline, report: Report): void {
  const path = issue.path as Path
  // What stands in the place of something wrong is not what the file says.
  const told = at(value, path) === WRONG || path.some((_, length) => length > 0 && report.has(path.slice(0, length)))
  switch (issue.code) {
    case 'unrecognized_keys': {
      for (const key of issue.keys) {
        report.add([...path, key], 'is not a key that Keyward knows', unknownKeyCure(tree(), path, key), 'key')
        prune(value, [...path, key])
      }
      return
    }
    case 'invalid_type': {
      const wanted = issue.expected === 'array' ? 'a list' : 'a map'
      const cure = issue.expected === 'array' ? 'write one entry per line, each after "- "' : mapCure(tree(), path)
      if (!told) report.add(path, `must be ${wanted}, not ${show(at(value, path))}`, cure)
      prune(value, path, issue.expected === 'object' ? {} : WRONG)
      return
    }
    case 'custom': {
      const {
        cure = '',
        kind,
        at = 'value',
      } = (issue.params ?? {}) as { cure?: string; kind?: string; at?: 'key' | 'value' }
      if (!told) report.add(path, issue.message, cure === '' ? `add \`${String(path.at(-1))}: <${kind}>\`` : cure, at)
      break
    }
    default:
      report.add(path, issue.message, 'see docs/configuration.md')
  }
  prune(value, path)
}

function unknownKeyCure(tree: Outline, path: Path, key: string): string {
  const near = nearest(key, keysAt(tree, path))
  if (near !== undefined) return `did you mean ${near}?`
  const places = placesOf(tree, key)
  if (places.length > 0) return `it belongs under ${places.map((place) => place.replace(/\.[^.]*$/, '')).join(' or ')}`
  return `remove it; known here: ${keysAt(tree, path).join(', ')}`
}

/** `{}` is no cure where keys are required, and an entry of a list that says nothing is none anywhere. */
function mapCure(tree: Outline, path: Path): string {
  const required = requiredAt(tree, path)
  const inList = typeof path.at(-1) === 'number'
  if (required.length === 0 && !inList) return 'write its keys indented below it, or {}'
  const where = inList ? 'after the "- "' : 'indented below it'
  return `write its keys ${where}${required.length === 0 ? '' : `, at least ${required.join(' and ')}`}`
}

/** A copy in which nothing is shared: what aliases stand for is wrong, and taken out, once in each place. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]))
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) => (inner as Record<string | number, unknown> | null | undefined)?.[part],
    value,
  )
}

/**
 * Removes a value. One that is absent but required reads as wrong from now on. In a list, the others are still checked and
 * keep their numbers: `standIn` takes its place there, which for a map is an empty one.
 */
function prune(value: unknown, path: Path, standIn: unknown = WRONG): void {
  const parent = at(value, path.slice(0, -1))
  const last = path.at(-1)
  if (last === undefined || typeof parent !== 'object' || parent === null) return
  if (Array.isArray(parent)) {
    parent[last as number] = standIn
    return
  }
  const map = parent as Record<string, unknown>
  if (Object.hasOwn(map, last) && map[last] !== undefined) delete map[last]
  else Object.defineProperty(map, last, { value: WRONG, enumerable: true, configurable: true, writable: true })
}

/** Every `${NAME}` in any string of the file. */
function* variables(value: unknown, path: Path): Generator<{ path: Path; name: string; whole: boolean }> {
  if (typeof value === 'string') {
    const name = /\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}/.exec(value)?.[1]
    if (name !== undefined) yield { path, name, whole: value === `\${${name}}` }
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield* variables(value[i], [...path, i])
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) yield* variables(inner, [...path, key])
  }
}

function variableCure(path: Path, name: string, whole: boolean): string {
  const key = path.at(-1)
  if (key === 'url' && !whole)
    return `write password: {env: ${name}} beside the url, or take the whole url from a variable, url: {env: NAME}`
  if (key === 'password' || key === 'url')
    return `write ${key}: {env: ${name}}${whole ? '' : ', with the whole value in that variable'}`
  return `write the value itself, or, for a password or an upstream's url, {env: ${name}}`
}
