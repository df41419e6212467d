import { setTimeout as sleep } from 'node:timers/promises'
import { needOpenFiles, residentBytes } from './proc.mjs'
import { RawClient, request } from './raw-client.mjs'
import { startTarget } from './targets.mjs'

/** Many clients at once: resident memory for each, and upstream connections for all. */

/** Connections that are being opened at the same time: below the listen backlog of every target. */
const OPENING = 100
const KIB = 'v'.repeat(1024)

/**
 * Resident memory of a proxy's process group per client that has logged in and done a SET and a GET of 1 KiB and now
 * waits: a fresh process of each target, warmed up by a tenth of the clients, which have left. What the clients are
 * compared with is the lower of fresh and warmed up, so that garbage which the warm-up left is counted against the
 * target, not for it.
 */
export async function runMemory({ backing, found, password, clients, log }) {
  needOpenFiles(2 * clients + 500)
  const rows = []
  for (const one of found) {
    if (one.name === 'bare') continue
    const target = await startTarget(one, backing, password, clients)
    try {
      const fresh = await settledBytes(target.pid)
      closeAll(await gather(target, Math.ceil(clients / 10)))
      const warm = await settledBytes(target.pid)
      const crowd = await gather(target, clients)
      const busy = residentBytes(target.pid)
      const settled = await settledBytes(target.pid)
      for (const client of crowd) {
        if ((await client.send(PING)) !== '+PONG\r\n') throw new Error(`${one.name} lost a client`)
      }
      closeAll(crowd)
      const perClient = (settled - Math.min(fresh, warm)) / clients
      rows.push({ target: one.name, clients, fresh, warm, busy, settled, perClient })
      log(`${one.name}: ${clients} clients, ${(perClient / 1024).toFixed(2)} KiB each`)
    } finally {
      await target.stop()
    }
  }
  return rows
}

const PING = request('PING')

/** Opens `count` clients, each of which logs in, writes 1 KiB and reads it back. */
async function gather(target, count) {
  const clients = []
  const login = request(...target.login)
  const hello = request(...target.hello3)
  let opened = 0
  const open = async () => {
    while (opened < count) {
      const number = opened++
      const client = await RawClient.open(target.port, 30_000)
      clients.push(client)
      // Where RESP3 is spoken, every second client speaks it.
      const greeting = await client.send(target.resp3 && number % 2 === 1 ? hello : login)
      if (greeting[0] === '-') throw new Error(`${target.name}: ${greeting.trim()}`)
      await client.ask('SET', `crowd:${number}`, KIB)
      if ((await client.ask('GET', `crowd:${number}`)) !== KIB)
        throw new Error(`${target.name}: GET returned another value`)
    }
  }
  await Promise.all(Array.from({ length: OPENING }, open))
  return clients
}

function closeAll(clients) {
  for (const client of clients) client.close()
}

/** Resident bytes once they have changed by less than 0.5 % for three seconds; at most 30 seconds later. */
async function settledBytes(pid) {
  let reference = residentBytes(pid)
  let calm = 0
  for (let i = 0; i < 60 && calm < 6; i++) {
    await sleep(500)
    const now = residentBytes(pid)
    if (Math.abs(now - reference) < reference * 0.005) {
      calm++
    } else {
      reference = now
      calm = 0
    }
  }
  return residentBytes(pid)
}

/**
 * How many connections a proxy holds to Redis while `clients` clients work through it at once: the most that CLIENT
 * LIST of Redis ever showed. Each client checks what it reads.
 *
 * @param {number} seconds how long they work
 */
export async function runLanes({ backing, found, password, clients, seconds, log }) {
  needOpenFiles(2 * clients + 500)
  const rows = []
  for (const one of found) {
    if (one.name === 'bare') continue
    const target = await startTarget(one, backing, password, clients)
    try {
      const crowd = await gather(target, clients)
      const until = performance.now() + seconds * 1000
      let exchanges = 0
      const work = async (client, number) => {
        for (let i = 0; i === 0 || performance.now() < until; i++) {
          const value = `${number}:${i}`
          await client.ask('SET', `crowd:${number}`, value)
          if ((await client.ask('GET', `crowd:${number}`)) !== value)
            throw new Error(`${one.name}: a stale or foreign value`)
          exchanges += 2
        }
      }
      let most = []
      const watch = async () => {
        while (performance.now() < until) {
          const now = await backing.clients()
          if (now.length > most.length) most = now
          await sleep(200)
        }
      }
      await Promise.all([...crowd.map(work), watch()])
      closeAll(crowd)
      rows.push({ target: one.name, clients, exchanges, upstream: most.length, names: names(most) })
      log(`${one.name}: ${clients} working clients, ${most.length} upstream connections`)
    } finally {
      await target.stop()
    }
    await gone(backing)
  }
  return rows
}

/** Connections by the name they gave themselves and their RESP version. */
function names(rows) {
  const counts = {}
  for (const row of rows) {
    const key = `${row.name || 'unnamed'} (RESP${row.resp ?? '2'})`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return Object.keys(counts).length > 10 ? {} : counts
}

/** Waits until Redis has noticed that the target's connections are closed. */
async function gone(backing) {
  for (let i = 0; i < 100 && (await backing.clients()).length > 0; i++) await sleep(50)
}
