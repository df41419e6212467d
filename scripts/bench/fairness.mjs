import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { assertRunning, complete, freePort, launch, stop, temporaryFolder } from './children.mjs'
import { patiently } from './patiently.mjs'
import { cpuMicros } from './proc.mjs'
import { RawClient } from './raw-client.mjs'
import { quantile } from './stats.mjs'

/**
 * What a tenant feels of another one's flood: the latency of one that asks 100 times a second, while the other floods
 * from 50 clients at -P 64, through the same Keyward with fairness on and off, and through another Keyward of the machine,
 * where they meet in Redis and on the cores only. And while nobody floods.
 */

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const PROBE = fileURLToPath(new URL('fairness-probe.mjs', import.meta.url))

const FLOODING = { clients: 50, depth: 64 }
const ASKING = { connections: 8, perSecond: 100 }
const VALUE_BYTES = 64
/** In this order they log in first, which is how Keyward numbers them. */
const TENANTS = ['flooding', 'asking']

/** Milliseconds for the flood to be under way, and to be gone. */
const SETTLE = 700

/** Which Keyward the one asks and the other floods. */
const CASES = [
  { name: 'same', asks: 'on', floods: 'on' },
  { name: 'other', asks: 'on', floods: 'other' },
  { name: 'off', asks: 'off', floods: 'off' },
  { name: 'quiet', asks: 'on', floods: undefined },
]

/**
 * @param {{ rounds: number, fairnessSeconds: number }} options `fairnessSeconds`: of each cell
 * @returns {Promise<object[]>} a row for each case and round; undefined when there is no Keyward to measure
 */
export async function runFairness({ redis, backing, found, password, options, log }) {
  if (!found.some(({ name }) => name === 'keyward')) return undefined
  const { rounds, fairnessSeconds: seconds } = options
  const keywards = {}
  for (const [name, mode] of [
    ['on', 'on'],
    ['other', 'on'],
    ['off', 'off'],
  ]) {
    keywards[name] = await start({ backing, password, name, mode })
  }
  const rows = []
  try {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < CASES.length; i++) {
        const { name, asks, floods } = CASES[(i + round) % CASES.length]
        const sides = { asked: keywards[asks], flooded: keywards[floods], command: round % 2 === 0 ? 'set' : 'get' }
        rows.push({ round, case: name, ...(await cell({ redis, backing, password, seconds, ...sides })) })
      }
      const p99 = CASES.map(({ name }) => `${name} ${rows.findLast((row) => row.case === name).p99.toFixed(2)}`)
      log(`fairness, round ${round + 1} of ${rounds}: p99 ${p99.join(', ')} ms`)
    }
  } finally {
    for (const keyward of Object.values(keywards)) await stop(keyward.entry)
  }
  return rows
}

async function cell({ redis, backing, password, seconds, asked, flooded, command }) {
  const flood = flooded && startFlood(redis, flooded, password, command)
  await sleep(SETTLE)
  const before = { ...(await backing.usage()), ...cpu(flooded), at: performance.now() }
  const order = { port: asked.port, login: loginOf('asking', password), ...ASKING, seconds, valueBytes: VALUE_BYTES }
  const probe = await complete('the tenant that asks', process.execPath, [PROBE, JSON.stringify(order)])
  const after = { ...(await backing.usage()), ...cpu(flooded), at: performance.now() }
  if (probe.code !== 0) throw new Error(`the tenant that asks ended with ${probe.code}: ${probe.stderr.trim()}`)
  const { fairness } = await upstreamOf(asked)
  if (flood !== undefined) {
    assertRunning(flood)
    await stop(flood)
  }
  await sleep(SETTLE)
  const milliseconds = JSON.parse(probe.stdout)
  const elapsed = after.at - before.at
  const executed = after.get + after.set - before.get - before.set - milliseconds.length
  return {
    command,
    asked: milliseconds.length,
    p50: quantile(milliseconds, 0.5),
    p99: quantile(milliseconds, 0.99),
    most: Math.max(...milliseconds),
    flood: (executed / elapsed) * 1000,
    proxyCpu: flooded && (after.proxy - before.proxy) / executed,
    /** Cores that other programs of the machine took. */
    others: (after.machine - before.machine - (after.ours - before.ours)) / elapsed / 1000,
    window: fairness?.window,
    rounds: fairness?.rounds,
    waited: fairness?.waited.filter(({ tenant }) => TENANTS.includes(tenant)),
  }
}

/** CPU microseconds so far: of the machine, of this bench, and of the Keyward that is flooded. */
function cpu(flooded) {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split('\n')[0].split(/ +/)
  const ticks = [user, nice, system, irq, softirq].reduce((sum, value) => sum + Number(value), 0)
  return { machine: ticks * 10_000, ours: cpuMicros(process.pid), proxy: flooded ? cpuMicros(flooded.entry.pid) : 0 }
}

function startFlood(redis, { port }, password, command) {
  const [, user] = loginOf('flooding', password)
  const args = ['-h', '127.0.0.1', '-p', String(port), '--user', user, '-a', password, '-t', command]
  args.push('-c', String(FLOODING.clients), '-P', String(FLOODING.depth), '-d', String(VALUE_BYTES))
  // More than it will get to.
  args.push('-r', '100000', '-n', '2000000000', '-q')
  return launch('redis-benchmark', redis.benchmark, args, { env: redis.env })
}

function loginOf(tenant, password) {
  return ['AUTH', tenant, password]
}

async function start({ backing, password, name, mode }) {
  const port = await freePort()
  const adminPort = await freePort()
  const tenant = (user) => ({ upstream: 'main', users: { [user]: { password } } })
  const configuration = {
    version: 1,
    log: { level: 'warn' },
    listeners: [{ address: `127.0.0.1:${port}` }],
    admin: { address: `127.0.0.1:${adminPort}` },
    upstreams: { main: { url: `redis://127.0.0.1:${backing.port}`, password, fairness: { mode } } },
    tenants: Object.fromEntries(TENANTS.map((one) => [one, tenant(one)])),
  }
  const file = path.join(temporaryFolder(), 'keyward.yaml')
  // JSON is YAML, too.
  writeFileSync(file, JSON.stringify(configuration, undefined, 2))
  const entry = launch(`keyward, ${name}`, process.execPath, [MAIN, 'serve', file])
  const keyward = { entry, port, adminPort }
  await patiently(entry, async () => {
    for (const one of TENANTS) {
      const client = await RawClient.open(port)
      try {
        await client.ask(...loginOf(one, password))
        await client.ask('SET', 'bench:probe', one)
      } finally {
        client.close()
      }
    }
  })
  return keyward
}

async function upstreamOf({ adminPort }) {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/upstreams`)
  if (!answer.ok) throw new Error(`keyward's /upstreams answered ${answer.status}`)
  const [upstream] = (await answer.json()).upstreams
  return upstream
}
