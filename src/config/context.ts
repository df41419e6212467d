import { nearest } from '../lib/nearest.ts'
import type { Path, Report } from './problem.ts'
import type { SecretPlaces } from './secret.ts'

/** What resolving needs beside the file. */
export interface ResolveContext extends SecretPlaces {
  readonly report: Report
}

/** Names that the file gives, those of broken entries too: a reference to one of them is not a second problem. */
export interface Names {
  readonly upstreams: readonly string[]
  readonly tenants: readonly string[]
}

/** Reports a reference to something that the file does not have. */
export function checkName(
  path: Path,
  name: string,
  known: readonly string[],
  what: 'tenant' | 'upstream',
  report: Report,
): void {
  if (known.includes(name)) return
  const near = nearest(name, known)
  const others = known.length > 0 ? `known: ${known.join(', ')}` : `add it under ${what}s`
  report.add(path, `there is no ${what} ${JSON.stringify(name)}`, near !== undefined ? `did you mean ${near}?` : others)
}
