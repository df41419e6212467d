import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { benchmarkKey } from './backing.mjs'
import { CONNECTIONS, parseCsv, VALUE_BYTES } from './cell.mjs'
import { complete, freePort, launch, stop } from './children.mjs'
import { startTenants } from './limits-keyward.mjs'
import { patiently } from './patiently.mjs'
import { cpuMicros, needOpenFiles } from './proc.mjs'
import { RawClient, request } from './raw-client.mjs'

/**
 * The near cache: CPU of a hit beside that of a request that is passed on and that of one to a Node that only answers, what
 * Redis executes meanwhile, and how often it is asked for a key that many clients miss at the same time.
 */

const PIPELINE = 16
/** In the cache, while hits are measured. */
const KEYS = 10_000
const FEW_KEYS = 100
/** Seconds in which the cache must have all of them. */
const PATIENCE = 20
/** Of one MGET, while the cache is filled: it keeps so many elements of a reply. */
const BATCH = 100
/** Rounds of misses, each of a key of its own. */
const MISS_ROUNDS = 10

const FLOOR = fileURLToPath(new URL('cache-floor.mjs', import.meta.url))

const CACHE = { memory: '256MiB', rules: [{ keys: '*', maxAge: '24h', jitter: '0%' }] }

/**
 * @param {{ rounds: number, seconds: number, warmUp: number, cacheMisses: number }} options
 * @returns {Promise<object | undefined>} `cells`: by arm, CPU in microseconds; `misses`: a row for
 *   each round. undefined when there is no Keyward to measure
 */
export async function runCache({ redis, backing, found, password, options, log }) {
  if (!found.some(({ name }) => name === 'keyward')) return undefined
  const { cacheMisses: clients } = options
  // Both sides of each connection are not in this process, but its own are; some more for the rest of the bench.
  needOpenFiles(clients + 200)
  await backing.fill(['acme:'], KEYS, VALUE_BYTES)
  const common = { backing, password, clients }
  const targets = { cache: await startWarm(common, log) }
  try {
    targets.none = await startTenants(common, 'no cache', { acme: {} })
    targets.floor = await startFloor()
    const arms = {
      hits: { target: targets.cache, keys: KEYS },
      'hits of few': { target: targets.cache, keys: FEW_KEYS },
      'passed on': { target: targets.none, keys: KEYS },
      'answered only': { target: targets.floor, keys: KEYS },
    }
    const cells = await measure({ redis, backing, arms, options, log })
    const misses = []
    for (let round = 0; round < MISS_ROUNDS; round++) misses.push(await miss(targets.cache, backing, clients, round))
    log(`cache: ${misses.length} times ${clients} clients missed one key`)
    return { cells, misses }
  } finally {
    for (const target of Object.values(targets)) await target.stop()
  }
}

/**
 * A Keyward that has all keys in its cache. Two keys whose hashes of 32 bits are the same cannot both be in it, which of
 * 10,000 keys happens to one process in a hundred; another one has another secret in its hash.
 */
async function startWarm(common, log) {
  for (let attempt = 1; ; attempt++) {
    const target = await startTenants(common, 'cache', { acme: { cache: CACHE } })
    const seconds = await warm(target, common.backing)
    if (seconds !== undefined) {
      log(`cache: ${KEYS} keys are in it after ${seconds.toFixed(1)} s`)
      return target
    }
    await target.stop()
    if (attempt === 3) throw new Error(`after ${PATIENCE} s of reading, Redis is still asked for keys`)
  }
}

/** Reads every key until Redis is not asked for any of them; resolves with the seconds that it took, undefined: too many. */
async function warm(target, backing) {
  const startedAt = performance.now()
  const client = await RawClient.open(target.port)
  await client.ask(...target.login('acme'))
  try {
    for (;;) {
      await backing.control.ask('CONFIG', 'RESETSTAT')
      for (let i = 0; i < KEYS; i += BATCH) {
        const keys = Array.from({ length: Math.min(BATCH, KEYS - i) }, (_, k) => benchmarkKey(i + k))
        await client.send(request('MGET', ...keys))
      }
      const seconds = (performance.now() - startedAt) / 1000
      if ((await callsSince(backing)).mget === undefined) return seconds
      if (seconds > PATIENCE) return undefined
      await sleep(100)
    }
  } finally {
    client.close()
  }
}

/** The least that Node can do: see cache-floor.mjs. */
async function startFloor() {
  const port = await freePort()
  const entry = launch('the server that only answers', process.execPath, [FLOOR, String(port), String(VALUE_BYTES)])
  await patiently(entry, async () => (await RawClient.open(port)).close())
  return { port, pid: entry.pid, loginArgs: [], stop: () => stop(entry) }
}

/** Cells of all arms in turn. */
async function measure({ redis, backing, arms, options, log }) {
  const { rounds, seconds, warmUp, requests } = options
  const names = Object.keys(arms)
  const cells = []
  const counts = {}
  for (const name of names) {
    const { throughput } = await cell({ redis, backing, ...arms[name], count: Math.ceil(400_000 * warmUp) })
    counts[name] = requests ?? Math.ceil(throughput * seconds * 1.1)
  }
  for (let round = 0; round < rounds; round++) {
    for (const arm of round % 2 === 0 ? names : names.toReversed()) {
      const row = await cell({ redis, backing, ...arms[arm], count: counts[arm] })
      if (arms[arm].target === arms.hits.target && row.calls.get !== undefined) {
        throw new Error(`Redis executed ${row.calls.get} of ${row.requests} GETs that were to be hits`)
      }
      cells.push({ arm, round, ...row })
    }
  }
  log(`cache: ${rounds} rounds`)
  return cells
}

async function cell({ redis, backing, target, keys, count }) {
  const step = CONNECTIONS * PIPELINE
  const requests = Math.ceil(count / step) * step
  const args = ['-h', '127.0.0.1', '-p', String(target.port), ...target.loginArgs, '-t', 'get', '--csv']
  args.push('-c', String(CONNECTIONS), '-P', String(PIPELINE), '-n', String(requests), '-r', String(keys))
  await backing.control.ask('CONFIG', 'RESETSTAT')
  const before = cpuMicros(target.pid)
  const startedAt = performance.now()
  const { rps, p50, p99 } = parseCsv(await complete('redis-benchmark', redis.benchmark, args, { env: redis.env }))
  const seconds = (performance.now() - startedAt) / 1000
  // The target notices that 50 clients have left: that belongs to the cell.
  await sleep(30)
  const proxyCpu = (cpuMicros(target.pid) - before) / requests
  return { requests, seconds, proxyCpu, throughput: rps, p50, p99, calls: await callsSince(backing) }
}

/** What Redis has executed since CONFIG RESETSTAT, by command, without that and this question. */
async function callsSince(backing) {
  const calls = {}
  for (const [field, value] of await backing.info()) {
    const name = /^cmdstat_(.+)$/.exec(field)?.[1]
    if (name !== undefined && name !== 'config|resetstat') calls[name] = Number(/(?:^|,)calls=(\d+)/.exec(value)?.[1])
  }
  return calls
}

/** So many clients ask for a key at once that nobody has asked for before. */
async function miss(target, backing, clients, round) {
  const key = `missed:${round}`
  await backing.control.ask('SET', `acme:${key}`, 'x'.repeat(VALUE_BYTES))
  const crowd = []
  try {
    for (let i = 0; i < clients; i++) {
      const client = await RawClient.open(target.port)
      crowd.push(client)
      await client.ask(...target.login('acme'))
    }
    await backing.control.ask('CONFIG', 'RESETSTAT')
    const asked = request('GET', key)
    const startedAt = performance.now()
    const replies = await Promise.all(crowd.map((client) => client.send(asked)))
    const milliseconds = performance.now() - startedAt
    const wrong = replies.find((reply) => reply !== `$${VALUE_BYTES}\r\n${'x'.repeat(VALUE_BYTES)}\r\n`)
    if (wrong !== undefined) throw new Error(`GET ${key} was answered ${wrong.slice(0, 100)}`)
    return { round, clients, milliseconds, calls: await callsSince(backing) }
  } finally {
    for (const client of crowd) client.close()
  }
}
