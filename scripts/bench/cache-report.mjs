import { spread } from './stats.mjs'

/** The part on the near cache as tables and bars: see cache.mjs. */

/** Heartbeats of the invalidation feed, and looks at the server's state: not caused by what clients ask for. */
const HOUSEKEEPING = /^(ping|info|role|client(\|trackinginfo)?)$/

/**
 * @param {object} cache what runCache() gave
 * @returns {[title: string, header: string[], rows: string[][]][]}
 */
export function cacheTables({ cells, misses }) {
  const arms = Object.entries(ARMS).map(([arm, title]) => [title, of(cells, arm)])
  return [
    [
      'Near cache: GET at -P 16, CPU µs per request: median [lowest to highest round]',
      ['', 'CPU µs', 'requests/s', 'p50 ms', 'p99 ms'],
      arms.map(([title, rows]) => armRow(title, rows)),
    ],
    [
      'Near cache: what Redis executed meanwhile, calls per second',
      ['', 'requests/s', 'in Redis'],
      arms.map(([title, rows]) => callsRow(title, rows)),
    ],
    [
      'Near cache: a key that all clients miss at once',
      ['', 'clients', 'ms for all replies', 'in Redis'],
      misses.map(({ round, clients, milliseconds, calls }) => [
        `key ${round + 1}`,
        String(clients),
        milliseconds.toFixed(1),
        listed(Object.entries(calls).map(([name, count]) => [name, String(count)])),
      ]),
    ],
  ]
}

const ARMS = {
  hits: 'hits, 10,000 keys',
  'hits of few': 'hits, 100 keys',
  'passed on': 'passed on, 10,000 keys',
  'answered only': 'a Node that only answers',
}

function armRow(title, rows) {
  const values = (field, digits) => {
    const { median, min, max } = spread(rows.map((row) => row[field]))
    return `${median.toFixed(digits)} [${min.toFixed(digits)} to ${max.toFixed(digits)}]`
  }
  return [title, values('proxyCpu', 3), values('throughput', 0), values('p50', 3), values('p99', 3)]
}

function callsRow(title, rows) {
  const seconds = sum(rows.map((row) => row.seconds))
  const names = [...new Set(rows.flatMap(({ calls }) => Object.keys(calls)))].sort()
  const rates = names.map((name) => [name, (sum(rows.map(({ calls }) => calls[name] ?? 0)) / seconds).toFixed(1)])
  return [title, (sum(rows.map((row) => row.requests)) / seconds).toFixed(0), listed(rates)]
}

/** Bars as summary.mjs has them. */
export function cacheBars(cache) {
  const hits = cache && of(cache.cells, 'hits')
  const all = cache && [...hits, ...of(cache.cells, 'hits of few')]
  const calls = (calls) => sum(Object.entries(calls).map(([name, count]) => (HOUSEKEEPING.test(name) ? 0 : count)))
  return [
    bar('near cache: CPU µs of a hit at -P 16', 0.6, hits && spread(hits.map((row) => row.proxyCpu)).median),
    bar(
      'near cache: commands of clients in Redis while all are hits',
      0,
      all && sum(all.map((row) => calls(row.calls))),
    ),
    bar(
      'near cache: GETs in Redis for a key that all clients miss at once, most of the keys',
      1,
      cache && Math.max(...cache.misses.map((row) => row.calls.get ?? 0)),
    ),
  ]
}

function bar(name, limit, value) {
  return { name, limit, value, met: value === undefined ? undefined : value <= limit }
}

function of(cells, arm) {
  return cells.filter((cell) => cell.arm === arm)
}

function listed(entries) {
  return entries.map(([name, value]) => `${name} ${value}`).join(', ') || '-'
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
