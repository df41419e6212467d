import { expect } from 'vitest'
import type { Mode } from './modes.ts'

/** How many replies were compared in which way, and in which commands not all of them byte by byte. */
export class Tally {
  readonly counts: Record<Mode, number> = { exact: 0, sorted: 0, shape: 0, skip: 0 }
  private readonly inexact = new Map<string, Set<Mode>>()

  add(name: string, mode: Mode): void {
    this.counts[mode]++
    if (mode === 'exact') return
    const modes = this.inexact.get(name)
    if (modes === undefined) this.inexact.set(name, new Set([mode]))
    else modes.add(mode)
  }

  /** For the end of a run. */
  text(): string {
    const { exact, sorted, shape, skip } = this.counts
    return `exact ${exact}, sorted ${sorted}, shape ${shape}, skip ${skip}`
  }

  inexactText(): string {
    const rows = [...this.inexact].map(([name, modes]) => `${name} (${[...modes].join(', ')})`)
    return rows.length === 0 ? 'every reply is exact' : `not exact in every list: ${rows.join(', ')}`
  }
}

/** No tally has fewer exact replies than its floor. */
export function expectAtLeast(
  tallies: Readonly<Record<string, Tally>>,
  floors: Readonly<Record<string, number>>,
): void {
  const low = Object.entries(floors).filter(([name, floor]) => tallies[name].counts.exact < floor)
  expect(low.map(([name, floor]) => `${name}: ${tallies[name].counts.exact} exact, at least ${floor}`)).toEqual([])
}
