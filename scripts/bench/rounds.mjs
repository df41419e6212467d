import { runCell } from './cell.mjs'
import { metricsOf } from './targets.mjs'

const COMMANDS = ['get', 'set']
const DEPTHS = [1, 16]

/** Requests of the first, unmeasured cell of each kind: it warms the target up and tells how long a cell takes. */
const WARM_UP = { 1: 40_000, 16: 400_000 }

/**
 * All cells of the load part, interleaved: within a round every target runs the same command and depth one after the
 * other, so that what disturbs the machine disturbs neighbours alike; each round begins with another target.
 *
 * @param {{ rounds: number, seconds: number, requests?: number, warmUp: number }} options `seconds`: the least time of
 *   a cell, from which the number of requests follows for each target, unless `requests` gives it; `warmUp`: the share
 *   of the usual warm-up
 * @returns {Promise<object[]>} one row per cell
 */
export async function runRounds({ redis, backing, targets, options, log }) {
  const requests = await calibrate({ redis, backing, targets, options, log })
  const rows = []
  for (let round = 0; round < options.rounds; round++) {
    const startedAt = performance.now()
    for (const pipeline of DEPTHS) {
      for (const command of COMMANDS) {
        for (let i = 0; i < targets.length; i++) {
          const target = targets[(i + round) % targets.length]
          const count = requests.get(`${target.name} ${command} ${pipeline}`)
          const cell = await runCell({ redis, backing, target, command, pipeline, requests: count })
          rows.push({ round, target: target.name, command, pipeline, ...cell })
        }
      }
    }
    log(`round ${round + 1} of ${options.rounds}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  }
  for (const target of targets) await proveMetrics(target)
  return rows
}

async function calibrate({ redis, backing, targets, options, log }) {
  const requests = new Map()
  for (const target of targets) {
    for (const pipeline of DEPTHS) {
      for (const command of COMMANDS) {
        const count = WARM_UP[pipeline] * options.warmUp
        const cell = await runCell({ redis, backing, target, command, pipeline, requests: count })
        // A tenth more than the time asks for: the warm-up is slower than what follows, seldom faster.
        const wanted = options.requests ?? Math.max(count, cell.throughput * options.seconds * 1.1)
        requests.set(`${target.name} ${command} ${pipeline}`, wanted)
      }
    }
    log(`${target.name} is warm`)
  }
  return requests
}

/** Metrics must have been on while Keyward was measured. */
async function proveMetrics(target) {
  const page = await metricsOf(target)
  if (page !== undefined && !/^keyward_requests_total\{.*tenant="acme".*\} [1-9]/m.test(page)) {
    throw new Error('keyward measured without metrics: keyward_requests_total of tenant acme is not on /metrics')
  }
}
