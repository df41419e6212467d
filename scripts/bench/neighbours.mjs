import { setTimeout as sleep } from 'node:timers/promises'
import { RawClient, request } from './raw-client.mjs'
import { quantile } from './stats.mjs'
import { startTarget } from './targets.mjs'

/**
 * What a tenant's neighbours feel of it: a tenant of many keys beside ten times as many of others runs DBSIZE and FLUSHDB,
 * while clients of another tenant ask for a key, again as soon as they are answered, and note how long each took. The
 * time right before each command, without it, is what that is compared with.
 */

/** Clients that ask. */
const ASKING = 50
/** Milliseconds of quiet before each command. */
const QUIET = 5000

/** @param {number} keys of the tenant */
export async function runNeighbours({ backing, found, password, keys, log }) {
  const one = found.find(({ name }) => name === 'keyward')
  if (one === undefined) return undefined
  log(`neighbours: ${keys} keys of a tenant beside ${10 * keys} of others`)
  await populate(backing, 'other:', 10 * keys)
  const target = await startTarget(one, backing, password, ASKING)
  const rows = []
  try {
    for (const command of ['DBSIZE', 'FLUSHDB']) {
      await populate(backing, target.prefix, keys)
      const worker = await login(target, target.login, 600_000)
      const quiet = await asking(target, password, () => sleep(QUIET))
      const begun = performance.now()
      let reply = ''
      const busy = await asking(target, password, async () => {
        reply = await worker.send(request(command))
      })
      const seconds = (performance.now() - begun) / 1000
      worker.close()
      const p99 = { quiet: quantile(quiet, 0.99), busy: quantile(busy, 0.99) }
      rows.push({ command, reply: reply.trim(), seconds, p99, ratio: p99.busy / p99.quiet, asked: busy.length })
      log(
        `  ${command} ${reply.trim()} ${seconds.toFixed(1)} s; p99 ${p99.quiet.toFixed(2)} -> ${p99.busy.toFixed(2)} ms`,
      )
    }
  } finally {
    await target.stop()
  }
  return rows
}

async function populate({ control }, prefix, count) {
  for (let i = 0; i < count; i += 1000) {
    const args = []
    for (let k = i; k < Math.min(i + 1000, count); k++) args.push(`${prefix}${k}`, 'value')
    await control.ask('MSET', ...args)
  }
}

async function login(target, words, timeout) {
  const client = await RawClient.open(target.port, timeout)
  await client.ask(...words)
  return client
}

/** Milliseconds that each question took while `work` went on. */
async function asking(target, password, work) {
  const times = []
  let done = false
  const bytes = request('GET', 'bench:probe')
  const clients = await Promise.all(
    Array.from({ length: ASKING }, () => login(target, ['AUTH', 'neighbour', password])),
  )
  const ask = async (client) => {
    while (!done) {
      const begun = performance.now()
      await client.send(bytes)
      times.push(performance.now() - begun)
    }
  }
  const all = Promise.all(clients.map(ask))
  await work()
  done = true
  await all
  for (const client of clients) client.close()
  return times
}
