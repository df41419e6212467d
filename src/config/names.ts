import type { Names } from './context.ts'
import type { Path, Report } from './problem.ts'
import { show } from './units.ts'

export interface NameRule {
  readonly pattern: RegExp
  readonly words: string
}

/** Of tenants and upstreams. */
export const NAME: NameRule = { pattern: /^[A-Za-z0-9_-]{1,64}$/, words: '1 to 64 letters, digits, _ or -' }

/** Of users: what Redis can have as a user name, without the slash of `AUTH tenant/user password`. */
export const USER_NAME: NameRule = {
  pattern: /^[!-.0-~]{1,128}$/,
  words: 'printable ASCII without blanks and /, at most 128 characters',
}

/** Reports the names in a map that break its rule. */
export function checkNames(path: Path, names: readonly string[], rule: NameRule, report: Report): void {
  for (const name of names) {
    if (rule.pattern.test(name) && name !== '__proto__') continue
    report.add([...path, name], `${show(name)} cannot be a name here`, `use ${rule.words}`, 'key')
  }
}

/** The names that the file gives; those of broken entries too: a reference to one of them is not a second problem. */
export function readNames(raw: unknown): Names {
  return { upstreams: keysOf(raw, 'upstreams'), tenants: keysOf(raw, 'tenants') }
}

function keysOf(raw: unknown, key: string): readonly string[] {
  const value = (raw as Record<string, unknown>)[key]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
}
