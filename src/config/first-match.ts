import type { Path, Report } from './problem.ts'

/**
 * In a list of which the first entry that matches a key counts: reports those that never do, because an earlier one has
 * the same pattern, or takes all keys.
 */
export function checkFirstMatch(patterns: readonly (string | undefined)[], path: Path, report: Report): void {
  const places = new Map<string, number>()
  patterns.forEach((pattern, i) => {
    const at = [...path, i]
    if (pattern === undefined || report.has(at) || report.has([...at, 'keys'])) return
    // It may be the default, where something else was meant: `key: "a*"`.
    if (pattern === '*' && report.hasInside(at)) return
    const every = places.get('*')
    const same = places.get(pattern)
    const list = String(path.at(-1))
    if (same !== undefined) {
      report.add([...at, 'keys'], `${list}[${same}] has these keys already, and counts`, 'remove one of the two')
    } else if (every !== undefined) {
      report.add([...at, 'keys'], `never counts: ${list}[${every}] takes all keys`, `put it before ${list}[${every}]`)
    } else places.set(/^\*+$/.test(pattern) ? '*' : pattern, i)
  })
}
