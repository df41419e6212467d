import { median, spread } from './stats.mjs'

/** The part on fairness as tables and bars: see fairness.mjs. */

const NAMES = {
  same: 'the flood comes through the same Keyward',
  other: 'the flood comes through another Keyward',
  off: 'the same Keyward, fairness off',
  quiet: 'nobody floods',
}

/**
 * @param {object[]} rows what runFairness() gave
 * @returns {[title: string, header: string[], rows: string[][]][]}
 */
export function fairnessTables(rows) {
  return [
    [
      'Fairness: latency in ms of a tenant that asks 100 times a second, while another one floods from 50 clients at -P 64; medians of the rounds [lowest to highest]',
      HEADER,
      Object.keys(NAMES).map((name) =>
        latencyRow(
          name,
          rows.filter((row) => row.case === name),
        ),
      ),
    ],
    [
      'Fairness: what the round robin saw: the longest queues of a round, of those in which both waited',
      WAITED_HEADER,
      rows
        .filter((row) => row.case === 'same')
        .flatMap((row) => row.waited.map((waited) => waitedRow(row, waited)))
        .toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))),
    ],
  ]
}

const HEADER = ['', 'p50', 'p99', 'highest', 'flood, requests/s', 'Keyward, µs per request', 'other programs, cores']
function latencyRow(name, rows) {
  const of = (field, digits) => text(spread(rows.map((row) => row[field])), digits)
  return [
    NAMES[name],
    of('p50', 2),
    of('p99', 2),
    of('most', 1),
    name === 'quiet' ? '-' : Math.round(median(rows.map((row) => row.flood))).toLocaleString('en-US'),
    name === 'quiet' ? '-' : of('proxyCpu', 2),
    of('others', 2),
  ]
}

const WAITED_HEADER = ['', 'rounds', 'requests', 'bytes', 'window']
function waitedRow({ round, window }, { tenant, rounds, requests, bytes }) {
  return [`round ${round + 1}, the one ${tenant}`, ...[rounds, requests, bytes, window].map(grouped)]
}

function grouped(number) {
  return number.toLocaleString('en-US')
}

function text({ median: middle, min, max }, digits) {
  return `${middle.toFixed(digits)} [${min.toFixed(digits)} to ${max.toFixed(digits)}]`
}

/** Bars as summary.mjs has them: medians of the rounds' ratios. */
export function fairnessBars(rows = []) {
  return [
    bar('fairness: p99 beside a flood / with the flood elsewhere', 2, ratio(rows, 'same', 'other')),
    bar('fairness: p99 with fairness off / on', 3, ratio(rows, 'off', 'same'), { atLeast: true }),
  ]
}

function bar(name, limit, value, more = {}) {
  const met = value === undefined ? undefined : more.atLeast ? value >= limit : value <= limit
  return { name, limit, value, met, ...more }
}

function ratio(rows, a, b) {
  const p99 = (name, round) => rows.find((row) => row.case === name && row.round === round)?.p99
  const rounds = [...new Set(rows.map((row) => row.round))]
  const ratios = rounds.map((round) => p99(a, round) / p99(b, round))
  return ratios.length === 0 ? undefined : median(ratios)
}
