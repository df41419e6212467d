import type { ClientReport, RoundReport } from '../workers/protocol.ts'
import type { Scenario } from './scenarios.ts'

/** What was measured from outside in a round. */
export interface Measured {
  readonly scenario: Scenario
  readonly round: number
  /** When it happened. */
  readonly struckAt: number
  /** When most sentinels had said who the new primary is. */
  readonly switchedAt: number
  readonly reports: readonly RoundReport[]
  /** The counters of all clients, by their id, on the new primary. */
  readonly finals: ReadonlyMap<string, number>
  /** Acknowledged to the direct writer, and not there any more. */
  readonly controlLosses: number
}

/** One round, as numbers. */
export interface Row {
  readonly scenario: string
  readonly round: number
  /** Milliseconds of Sentinel's own switch, and of the longest time in which a reader or writer got no good reply. */
  readonly switch: number
  readonly gap: number
  readonly good: number
  readonly acked: number
  readonly unknown: number
  /** In flight when the first of them became unknown. */
  readonly inFlight: number
  readonly otherErrors: number
  readonly readErrors: number
  readonly disconnected: number
  /** Acknowledged INCRs that are not there. */
  readonly lost: number
  readonly covered: number
  /** More in a counter than was sent to it, or acknowledged and unknown together: sent twice. */
  readonly doubled: number
  /** Elements that were pushed for sure and popped by nobody; elements popped twice. */
  readonly lostElements: number
  readonly doubledElements: number
  readonly pending: number
  readonly controlLosses: number
}

const writes = (client: ClientReport) => client.role === 'incr' || client.role === 'wait'

export function rowOf(measured: Measured): Row {
  const { scenario, round, struckAt, switchedAt, reports, finals, controlLosses } = measured
  const clients = reports.flatMap((report) => report.clients)
  const slow = reports.flatMap((report) => report.slow)
  const sum = (of: (client: ClientReport) => number) => clients.reduce((total, client) => total + of(client), 0)
  const final = (client: ClientReport) => finals.get(client.id) ?? 0
  const firstUnknown = Math.min(...slow.filter(({ outcome }) => outcome === 'unknown').map(({ to }) => to))
  const elements = groups(clients).map((group) => tally(group))
  return {
    scenario: scenario.name,
    round,
    switch: Math.round(switchedAt - struckAt),
    gap: Math.round(Math.max(...clients.map(({ role, gap }) => (role === 'read' || role === 'incr' ? gap : 0)))),
    good: sum(({ good }) => good),
    acked: sum((client) => (writes(client) ? client.acked : 0)),
    unknown: sum(({ unknown }) => unknown),
    inFlight: slow.filter(({ from, to }) => from <= firstUnknown && to >= firstUnknown).length,
    otherErrors: sum(({ errorCount }) => errorCount),
    readErrors: sum(({ role, errorCount, unknown }) => (role === 'read' ? errorCount + unknown : 0)),
    disconnected: new Set(reports.flatMap(({ troubles }) => troubles.map(({ id }) => id))).size,
    lost: sum((client) => (writes(client) ? Math.max(0, client.acked - final(client)) : 0)),
    covered: sum(({ covered }) => covered),
    doubled: sum((client) => (writes(client) ? Math.max(0, final(client) - client.acked - failed(client)) : 0)),
    lostElements: elements.reduce((total, { lost }) => total + lost, 0),
    doubledElements: elements.reduce((total, { doubled }) => total + doubled, 0),
    pending: sum(({ pending }) => pending),
    controlLosses,
  }
}

/** What went wrong in a round through Keyward, one line each. */
export function failuresOf(measured: Measured): string[] {
  const { scenario, round, reports, finals } = measured
  const row = rowOf(measured)
  const failures: string[] = []
  const fail = (text: string) => failures.push(`${scenario.name}, round ${round}: ${text}`)
  for (const { troubles } of reports) for (const { id, what } of troubles) fail(`${id} was disconnected: ${what}`)
  for (const client of reports.flatMap((report) => report.clients)) {
    const { id, role, sent, acked, covered, unknownIncrs } = client
    for (const { text } of client.errors) fail(`${id} got ${text}`)
    for (const text of client.wrong) fail(`${id}: ${text}`)
    if (client.pending > 0) fail(`${id} has no reply to ${client.pending} requests`)
    if (role === 'read' && client.unknown > 0) fail(`${id} got OUTCOMEUNKNOWN for a read`)
    if (role === 'hear' && !client.heardLast) fail(`${id} does not hear what is published any more`)
    if (client.unknown > client.depth)
      fail(`${id} has ${client.unknown} unknown outcomes, and ${client.depth} in flight`)
    if (!writes(client)) continue
    const final = finals.get(id) ?? 0
    const counted = `sent ${sent}, acknowledged ${acked}, covered ${covered}, unknown ${unknownIncrs}, final ${final}`
    if (final > acked + unknownIncrs) fail(`${id} was applied more often than it was sent: ${counted}`)
    if (scenario.lossless === true && final < acked) fail(`${id} lost what was acknowledged: ${counted}`)
    if (role === 'wait' && final < covered) fail(`${id} lost what a WAIT had covered: ${counted}`)
  }
  if (row.unknown > row.inFlight) fail(`${row.unknown} unknown outcomes, ${row.inFlight} requests were in flight`)
  if (scenario.lossless === true) {
    for (const group of groups(reports.flatMap((report) => report.clients))) {
      const { lost, doubled, unknownPops } = tally(group)
      if (lost > unknownPops) fail(`${group[0].group}: ${lost} elements lost, ${unknownPops} BLPOPs unknown`)
      if (doubled > 0) fail(`${group[0].group}: ${doubled} elements popped twice`)
    }
    if (row.controlLosses <= 0) fail('the direct writer lost nothing: this round shows nothing')
  }
  return failures
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Whatever was not acknowledged, and may have been executed. */
function failed(client: ClientReport): number {
  return client.sent - client.acked
}

/** Those who push and pop, by queue. */
function groups(clients: readonly ClientReport[]): ClientReport[][] {
  const by = new Map<string, ClientReport[]>()
  for (const client of clients) {
    if (client.role === 'push' || client.role === 'pop') by.set(client.group, [...(by.get(client.group) ?? []), client])
  }
  return [...by.values()]
}

function tally(group: readonly ClientReport[]): { lost: number; doubled: number; unknownPops: number } {
  const popped = group.flatMap((client) => client.popped)
  const known = new Set(popped)
  return {
    lost: group.flatMap(({ pushed }) => pushed).filter((element) => !known.has(element)).length,
    doubled: popped.length - known.size,
    unknownPops: group.reduce((total, { role, unknown }) => total + (role === 'pop' ? unknown : 0), 0),
  }
}
