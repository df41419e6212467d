import { KEYS, runCell, VALUE_BYTES } from './cell.mjs'
import { metric, startLimited } from './limits-keyward.mjs'
import { median } from './stats.mjs'

/**
 * What rules cost that let everything pass: CPU per request of a Keyward with rules less that of one without, in pairs of
 * cells one directly after the other, at -P 16.
 */

/** The five rules of the example in docs/limits.md, with rates that nothing reaches. redis-benchmark's keys are key:<number>. */
const FIVE = [
  { name: 'all', rate: '1000000000/s', scope: 'global', action: 'delay', maxDelay: '50ms' },
  { name: 'per-address', per: 'address', rate: '1000000000/s' },
  { name: 'per-api-key', per: 'match', keys: 'rl:key:*', rate: '1000000000/m' },
  { name: 'writes', commands: '+@write', rate: '1000000000/s', action: 'shadow' },
  { name: 'bandwidth', rate: '1024GiB/s' },
]

const matching = (keys) => FIVE.map((rule) => (rule.per === 'match' ? { ...rule, keys, buckets: 2 * KEYS } : rule))

/**
 * `few`, `many`: `per: match` counts every request. In `few` the star stands for all but the last two digits, so there are 1,000
 * buckets, which stay in the caches; in `many` there is one for each key.
 */
const ARMS = {
  none: [],
  five: FIVE,
  few: matching('key:*??'),
  many: matching('key:*'),
}

const COMMANDS = ['get', 'set']
const PIPELINE = 16
/** Requests of the first, unmeasured cells, and the fewest of the others: CPU times are exact to 10 ms, 12 ns for each of so many. */
const WARM_UP = 400_000
const LEAST = 800_000

/**
 * @param {{ pairs: number, seconds: number, warmUp: number }} options `seconds`: the least time of a cell; `warmUp`: the
 *   share of the usual warm-up
 * @returns {Promise<{ cells: object[], added: object[] }>} CPU of single cells in microseconds; what rules add in
 *   nanoseconds per request, with the interval in which the median lies with at least 95 %
 */
export async function runCost({ redis, common, pairs, seconds, warmUp, log }) {
  const { backing } = common
  await backing.fill(['acme:'], KEYS, VALUE_BYTES)
  const targets = {}
  try {
    for (const [name, limits] of Object.entries(ARMS))
      targets[name] = await startLimited(common, name, { acme: limits })
    const cells = await measure({ redis, backing, targets, pairs, seconds, warmUp, log })
    await proveRules(targets.many)
    return {
      cells,
      added: COMMANDS.flatMap((command) => ['five', 'few', 'many'].map((arm) => added(cells, command, arm))),
    }
  } finally {
    for (const target of Object.values(targets)) await target.stop()
  }
}

async function measure({ redis, backing, targets, pairs, seconds, warmUp, log }) {
  const names = Object.keys(targets)
  const cells = []
  const cell = (arm, command, requests) =>
    runCell({ redis, backing, target: targets[arm], command, pipeline: PIPELINE, requests })
  const requests = {}
  for (const command of COMMANDS) {
    const speeds = []
    for (const arm of names) speeds.push((await cell(arm, command, WARM_UP * warmUp)).throughput)
    requests[command] = Math.max(LEAST * warmUp, Math.max(...speeds) * seconds * 1.1)
  }
  for (let pair = 0; pair < pairs; pair++) {
    for (const command of COMMANDS) {
      // Every second pair the other way round, so that what drifts hits both sides alike.
      for (const arm of pair % 2 === 0 ? names : names.toReversed()) {
        const { proxyCpu, throughput } = await cell(arm, command, requests[command])
        cells.push({ pair, command, arm, proxyCpu, throughput })
      }
    }
    if (pair % 5 === 4) log(`limits, cost: ${pair + 1} of ${pairs} pairs`)
  }
  return cells
}

/** All rules must have counted, and none refused. */
async function proveRules(target) {
  for (const { name } of FIVE) {
    const of = (outcome) => metric(target, 'keyward_limit_requests_total', { tenant: 'acme', rule: name, outcome })
    const found = { allowed: await of('allowed'), rejected: await of('rejected'), shadowed: await of('shadowed') }
    if (found.allowed === 0 || found.rejected > 0 || found.shadowed > 0) {
      throw new Error(`the rule ${name} was to let everything pass, but: ${JSON.stringify(found)}`)
    }
  }
}

function added(cells, command, arm) {
  const of = (name) => cells.filter((cell) => cell.command === command && cell.arm === name)
  const without = of('none')
  const differences = of(arm).map(({ pair, proxyCpu }) => 1000 * (proxyCpu - without[pair].proxyCpu))
  const microseconds = median(without.map(({ proxyCpu }) => proxyCpu))
  return { command, arm, pairs: differences.length, without: microseconds, ...medianWithInterval(differences) }
}

/**
 * The median with its interval by order statistics: the true median is outside of [k-th lowest, k-th highest] with
 * twice the probability that of n coins fewer than k show heads. No assumption on how the values are spread. For
 * fewer than six values there is no such interval of 95 %; it is the whole range then.
 */
function medianWithInterval(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  let k = 0
  let ways = 1
  for (let below = 1; below / 2 ** n <= 0.025; k++) {
    ways *= (n - k) / (k + 1)
    below += ways
  }
  const at = Math.max(0, k - 1)
  return { median: median(sorted), low: sorted[at], high: sorted[n - 1 - at] }
}
