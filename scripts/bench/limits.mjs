import { runCost } from './limits-cost.mjs'
import { runLimitMemory } from './limits-memory.mjs'
import { runRates } from './limits-rates.mjs'
import { runShared } from './limits-shared.mjs'

/** Connections at a time, to a tenant. */
const CLIENTS = 100

/**
 * Rate limits: whether they hold what they say, alone and together with other processes, and what they cost in CPU
 * and memory.
 *
 * @param {{ limitParts: Set<string>, limitRuns: number, limitSeconds: number, limitPairs: number, seconds: number,
 *   warmUp: number }} options
 * @returns {Promise<object>} the rows of each part; undefined when there is no Keyward to measure
 */
export async function runLimits({ redis, backing, found, password, options, log }) {
  if (!found.some(({ name }) => name === 'keyward')) return undefined
  const common = { backing, password, clients: CLIENTS }
  const { limitParts: parts, limitRuns: runs, limitSeconds: seconds, limitPairs: pairs, warmUp } = options
  const result = {}
  if (parts.has('rates')) result.rates = await runRates({ common, runs, seconds, log })
  if (parts.has('shared')) result.shared = await runShared({ common, runs, seconds, log })
  if (parts.has('cost')) result.cost = await runCost({ redis, common, pairs, seconds: options.seconds, warmUp, log })
  if (parts.has('memory')) result.memory = await runLimitMemory({ common, log })
  return result
}
