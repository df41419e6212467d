/** The part on limits as tables and bars: see limits.mjs. */

/**
 * @param {object} limits what runLimits() gave
 * @returns {[title: string, header: string[], rows: string[][]][]}
 */
export function limitTables({ rates, shared, cost, memory }) {
  const tables = []
  if (rates !== undefined)
    tables.push(['Limits: one rule, flooded at -P 16 by 50 clients', RATES_HEADER, rates.map(rateRow)])
  if (shared !== undefined) {
    tables.push([
      'Limits: 3,000/s for three processes, one flooded, two asked 300/s',
      SHARED_HEADER,
      shared.map(sharedRow),
    ])
  }
  if (cost !== undefined) {
    tables.push([
      'Limits: CPU that rules add, ns per request at -P 16: median of the pairs [95 % interval of the median]',
      COST_HEADER,
      cost.added.map(costRow),
    ])
  }
  if (memory !== undefined) tables.push(['Limits: names that clients invent', MEMORY_HEADER, memory.map(memoryRow)])
  return tables
}

const RATES_HEADER = ['', 'asked', 'admitted', 'in Redis', 'RATELIMITED', 'seconds', 'share of the rate']
function rateRow({ case: name, run, asked, admitted, executed, refused, seconds, share }) {
  const counts = [asked, admitted, executed, refused].map(grouped)
  return [`${name}, run ${run + 1}`, ...counts, seconds.toFixed(2), share.toFixed(4)]
}

const SHARED_HEADER = ['', 'admitted', 'in Redis', 'share of the rate', 'busy', 'calm', 'late', 'lease calls/s']
function sharedRow({ run, admitted, executed, share, busy, calm, late, leaseCalls }) {
  const of = (one) => `${grouped(one.admitted)} of ${grouped(one.asked)}`
  const calls = leaseCalls.map((value) => value.toFixed(1)).join(' ')
  return [`run ${run + 1}`, grouped(admitted), grouped(executed), share.toFixed(4), of(busy), of(calm), of(late), calls]
}

const COST_ARMS = {
  five: 'the five rules of the example',
  few: 'the same, and every request has one of 1,000 names',
  many: 'the same, and every request has one of 100,000 names',
}
const COST_HEADER = ['', 'pairs', 'without rules, µs', 'added, ns']
function costRow({ command, arm, pairs, without, median, low, high }) {
  const rules = COST_ARMS[arm]
  const interval = `${median.toFixed(0)} [${low.toFixed(0)} to ${high.toFixed(0)}]`
  return [`${command.toUpperCase()}, ${rules}`, String(pairs), without.toFixed(3), interval]
}

const MEMORY_HEADER = ['', 'names', 'buckets', 'overflows', 'admitted', 'MiB', 'bytes per bucket']
function memoryRow({ what, names, buckets, overflows, admitted, bytes }) {
  const counts = [names, buckets, overflows, admitted].map(grouped)
  return [what, ...counts, mebibytes({ bytes }).toFixed(2), (bytes / buckets).toFixed(1)]
}

function grouped(number) {
  return number.toLocaleString('en-US')
}

/** What the 100,000 buckets of a rule may take, and by how much a whole Keyward may grow with them: 40 and 100 bytes for each. */
const TABLE_MIB = 4
const PROCESS_MIB = 10

/** Bars as summary.mjs has them. */
export function limitBars(limits = {}) {
  const { rates, shared, cost, memory } = limits
  return [
    ...['reject', 'delay'].flatMap((name) =>
      shareBars(
        `limit, ${name}`,
        rates?.filter((row) => row.case === name),
      ),
    ),
    ...shareBars('limit, three processes', shared),
    bar('limit: admitted, by the clients and by Redis, difference', 0, difference([rates, shared])),
    bar(
      'limit: lease calls per second of a process',
      20,
      shared && Math.max(...shared.flatMap((row) => row.leaseCalls)),
    ),
    ...['get', 'set'].map((command) => {
      const five = cost?.added.find((row) => row.command === command && row.arm === 'five')
      return bar(`limit: ns that five rules add to ${command.toUpperCase()}`, 60, five?.median)
    }),
    bar('limit: MiB for a million addresses, the table alone', TABLE_MIB, mebibytes(memory?.[0])),
    bar('limit: MiB for a million keys, a whole Keyward', PROCESS_MIB, mebibytes(memory?.[1])),
  ]
}

function bar(name, limit, value, more = {}) {
  const met = value === undefined ? undefined : more.atLeast ? value >= limit : value <= limit
  return { name, limit, value, met, ...more }
}

/** The share of the rate that passed is in this range in all runs. */
function shareBars(name, rows) {
  const shares = rows?.map(({ share }) => share)
  return [
    bar(`${name}: share of the rate, lowest run`, 0.97, shares && Math.min(...shares), { atLeast: true, digits: 4 }),
    bar(`${name}: share of the rate, highest run`, 1.01, shares && Math.max(...shares), { digits: 4 }),
  ]
}

/** The largest there was. */
function difference(parts) {
  const rows = parts.filter((rows) => rows !== undefined).flat()
  return rows.length === 0 ? undefined : Math.max(...rows.map((row) => Math.abs(row.admitted - row.executed)))
}

function mebibytes(row) {
  return row && row.bytes / 2 ** 20
}
