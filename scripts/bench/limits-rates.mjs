import { setTimeout as sleep } from 'node:timers/promises'
import { askAll, elapsed } from './limits-clients.mjs'
import { callsOf, metric, startLimited } from './limits-keyward.mjs'
import { request } from './raw-client.mjs'

/**
 * One rule, flooded: what passes in how long? Counted by the clients that flood, and by Redis. The share is that of the
 * rate: what passed less the burst, by the time from the first request to the last reply.
 */

const CLIENTS = 50
const DEPTH = 16

const COUNT = ['INCR', 'bench:count']
const WRITE = ['SET', 'bench:write', 'x'.repeat(1000)]
/** Bytes of +OK. */
const OK = 5

const CASES = [
  { name: 'reject', words: COUNT, rate: 1000, cost: 1, rule: { name: 'all', rate: '1000/s' } },
  {
    name: 'delay',
    words: COUNT,
    rate: 1000,
    cost: 1,
    rule: { name: 'all', rate: '1000/s', action: 'delay', maxDelay: '50ms' },
  },
  {
    name: 'bytes',
    words: WRITE,
    rate: 2 ** 20,
    cost: request(...WRITE).length + OK,
    rule: { name: 'all', rate: '1MiB/s' },
  },
]

/** @returns {Promise<object[]>} one row a run; `share` is of the rate, `executed` the calls that Redis counted */
export async function runRates({ common, runs, seconds, log }) {
  const rows = []
  for (const one of CASES) {
    const target = await startLimited(common, one.name, { acme: [one.rule] })
    try {
      for (let run = 0; run < runs; run++)
        rows.push({ case: one.name, run, ...(await flood(common, target, one, seconds)) })
    } finally {
      await target.stop()
    }
    const shares = rows.filter((row) => row.case === one.name).map(({ share }) => share.toFixed(4))
    log(`limits, ${one.name}: ${shares.join(' ')} of the rate`)
  }
  return rows
}

async function flood({ backing }, target, { words, rate, cost }, seconds) {
  await full(target, rate)
  const command = words[0].toLowerCase()
  const before = await callsOf(backing, command)
  const order = { port: target.port, login: target.login('acme'), connections: CLIENTS, depth: DEPTH, words, seconds }
  const tallies = await askAll([order])
  const executed = (await callsOf(backing, command)) - before
  const [{ asked, admitted, refused }] = tallies
  const took = elapsed(tallies) / 1000
  return { asked, admitted, executed, refused, seconds: took, share: (admitted * cost - rate) / took / rate }
}

/** Until the bucket, which holds a second's worth, has all its tokens. */
async function full(target, burst) {
  while ((await metric(target, 'keyward_limit_tokens', { tenant: 'acme', rule: 'all' })) < burst) await sleep(50)
}
