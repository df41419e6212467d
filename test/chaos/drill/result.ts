import type { Way } from './run.ts'
import { type Measured, median, type Row } from './verdict.ts'

/** All rounds of a scenario, as the drill keeps them for pictures and tables. */
export interface Result {
  readonly way: Way
  readonly scenario: string
  /** For file names. */
  readonly file: string
  readonly rows: readonly Row[]
  readonly picture: Picture
}

/** One round, tenth of a second by tenth. */
export interface Picture {
  /** Milliseconds from when it happened to the first tenth: negative. */
  readonly from: number
  /** Good replies. */
  readonly counts: readonly number[]
  /** Milliseconds until most sentinels named the new primary. */
  readonly switch: number
}

const BEFORE = 1000
const AFTER = 2500

export function pictureOf({ reports, struckAt, switchedAt }: Measured): Picture {
  const first = Math.floor((struckAt - BEFORE) / 100)
  const length = Math.ceil((switchedAt - struckAt + BEFORE + AFTER) / 100)
  const counts = Array.from({ length }, (_, i) =>
    reports.reduce((total, { good }) => total + (good[first + i] ?? 0), 0),
  )
  return { from: first * 100 - struckAt, counts, switch: switchedAt - struckAt }
}

export function lineOf(row: Row): string {
  return [
    `${row.scenario} ${row.round}: switch ${row.switch} ms, longest gap ${row.gap} ms`,
    `${row.good} good replies`,
    `${row.acked} INCRs acknowledged, ${row.lost} of them lost, ${row.doubled} doubled, ${row.covered} covered by WAIT`,
    `${row.unknown} unknown of ${row.inFlight} in flight`,
    `${row.otherErrors} other errors, ${row.readErrors} errors of reads`,
    `${row.disconnected} disconnected, ${row.pending} hanging`,
    `elements: ${row.lostElements} lost, ${row.doubledElements} twice`,
    `direct writer lost ${row.controlLosses}`,
  ].join('; ')
}

export function summaryOf(rows: readonly Row[]): string {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0)
  return [
    `${rows[0].scenario}, ${rows.length} rounds: median switch ${median(rows.map((row) => row.switch))} ms`,
    `median of the longest gap ${median(rows.map(({ gap }) => gap))} ms, beside the switch ${beside(rows)} ms`,
    `${sum(({ lost }) => lost)} of ${sum(({ acked }) => acked)} acknowledged INCRs lost, ${sum(({ doubled }) => doubled)} doubled`,
    `${sum(({ unknown }) => unknown)} unknown, ${sum(({ otherErrors }) => otherErrors)} other errors`,
    `${sum(({ disconnected }) => disconnected)} disconnected`,
    `direct writer lost ${sum(({ controlLosses }) => controlLosses)}`,
  ].join('; ')
}

/** Median of the longest gap less Sentinel's own switch, in milliseconds. */
export function beside(rows: readonly Row[]): number {
  return median(rows.map((row) => row.gap - row.switch))
}
