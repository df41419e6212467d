import { setTimeout as sleep } from 'node:timers/promises'
import { askAll, elapsed } from './limits-clients.mjs'
import { callsOf, metric, startLimited } from './limits-keyward.mjs'

/**
 * One budget for three processes with unequal work: `busy` is flooded, `calm` is asked 300 times a second, and `late` the
 * same, but only from the middle of the run on. What all of them let pass is compared with the one rate.
 */

const RATE = 3000
const CALM = 300
const NAMES = ['busy', 'calm', 'late']
const WORDS = ['INCR', 'bench:shared']
const RULE = { name: 'all', rate: `${RATE}/s`, scope: 'global' }
/** Milliseconds after which unused tokens have been given back. */
const RETURNED = 2000

/** @returns {Promise<object[]>} one row a run */
export async function runShared({ common, runs, seconds, log }) {
  const targets = []
  const rows = []
  try {
    for (const name of NAMES) targets.push(await startLimited(common, name, { acme: [RULE] }))
    for (let run = 0; run < runs; run++) {
      const row = { run, ...(await share(common, targets, seconds)) }
      rows.push(row)
      const each = NAMES.map((name) => `${name} ${row[name].admitted} of ${row[name].asked}`)
      log(`limits, three processes: ${row.share.toFixed(4)} of the rate; ${each.join(', ')}`)
    }
  } finally {
    for (const target of targets) await target.stop()
  }
  return rows
}

async function share({ backing }, targets, seconds) {
  await full(backing)
  const [busy, calm, late] = targets.map(({ port, login }) => ({ port, login: login('acme'), words: WORDS, seconds }))
  const before = await callsOf(backing, 'incr')
  const calls = () => Promise.all(targets.map((target) => metric(target, 'keyward_lease_calls_total')))
  const callsBefore = await calls()
  const countedFrom = performance.now()
  const tallies = await askAll([
    { ...busy, connections: 50, depth: 16 },
    { ...calm, connections: 1, depth: 1, perSecond: CALM },
    { ...late, connections: 1, depth: 1, perSecond: CALM, seconds: seconds / 2, after: seconds / 2 },
  ])
  const callsAfter = await calls()
  const counted = (performance.now() - countedFrom) / 1000
  const executed = (await callsOf(backing, 'incr')) - before
  const admitted = tallies.reduce((sum, tally) => sum + tally.admitted, 0)
  const took = elapsed(tallies) / 1000
  return {
    admitted,
    executed,
    seconds: took,
    share: (admitted - RATE) / took / RATE,
    // Starting the clients counts as time here, so the time of the flood alone is what they are divided by.
    leaseCalls: callsAfter.map((after, i) => (after - callsBefore[i]) / Math.min(took, counted)),
    ...Object.fromEntries(NAMES.map((name, i) => [name, tallies[i]])),
  }
}

/** Until no process has tokens left, and the bucket in Redis is full: it expires a second after that. */
async function full({ control }) {
  await sleep(RETURNED)
  while ((await control.ask('EXISTS', 'keyward:limit:acme:all')) !== '0') await sleep(50)
}
