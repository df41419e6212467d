import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Backing } from './bench/backing.mjs'
import { runCache } from './bench/cache.mjs'
import { CONNECTIONS, KEYS, VALUE_BYTES } from './bench/cell.mjs'
import { stop } from './bench/children.mjs'
import { runConnects } from './bench/connects.mjs'
import { runLanes, runMemory } from './bench/crowd.mjs'
import { runFairness } from './bench/fairness.mjs'
import { runLimits } from './bench/limits.mjs'
import { runNeighbours } from './bench/neighbours.mjs'
import { benchOptions } from './bench/options.mjs'
import { machine } from './bench/proc.mjs'
import { report } from './bench/report.mjs'
import { runRounds } from './bench/rounds.mjs'
import { runScripts } from './bench/scripts.mjs'
import { bars } from './bench/summary.mjs'
import { findTargets, PREFIX, startTarget } from './bench/targets.mjs'
import { findRedis } from './lib/redis.mjs'

/**
 * npm run bench: what a request costs behind Keyward, beside the bare Redis and the other proxies of this machine.
 * docs/performance.md says how it measures and why so.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Progress goes to standard error, the result to standard output. */
function log(line) {
  console.error(line)
}

async function main() {
  const options = benchOptions(process.argv.slice(2))
  if (options.help !== undefined) return console.log(options.help)
  if (process.platform !== 'linux') throw new Error('the bench reads CPU times from /proc: it needs Linux')
  const redis = await findRedis({ log, wantBenchmark: true })
  const found = await findTargets(options.targets, log)
  const password = randomBytes(12).toString('hex')
  const clients = Math.max(options.memoryClients, options.laneClients, options.cacheMisses, CONNECTIONS)
  const result = {
    date: new Date().toISOString(),
    machine: machine(),
    versions: { redis: '', node: process.version },
    commit: commit(),
    settings: {
      connections: CONNECTIONS,
      valueBytes: VALUE_BYTES,
      keys: KEYS,
      rounds: options.rounds,
      seconds: options.seconds,
      requests: options.requests,
    },
  }
  for (const { name, version } of found) if (version !== undefined) result.versions[name] = version

  const backing = await Backing.start(redis, password, clients)
  result.versions.redis = (await backing.info()).get('redis_version')
  if (options.parts.has('load') || options.parts.has('connects')) {
    log(`filling ${KEYS} keys, twice: as they are and with a prefix`)
    await backing.fill(['', PREFIX], KEYS, VALUE_BYTES)
    const targets = []
    for (const one of found) targets.push(await startTarget(one, backing, password, CONNECTIONS))
    const common = { redis, backing, targets, options, log }
    if (options.parts.has('load')) result.load = await runRounds(common)
    if (options.parts.has('connects')) result.connects = await runConnects(common)
    for (const target of targets) await target.stop()
  }
  const crowd = { backing, found, password, log }
  if (options.parts.has('memory')) result.memory = await runMemory({ ...crowd, clients: options.memoryClients })
  if (options.parts.has('lanes')) {
    result.lanes = await runLanes({ ...crowd, clients: options.laneClients, seconds: options.laneSeconds })
  }
  if (options.parts.has('limits')) result.limits = await runLimits({ ...crowd, redis, options })
  if (options.parts.has('fairness')) result.fairness = await runFairness({ ...crowd, redis, options })
  if (options.parts.has('cache')) result.cache = await runCache({ ...crowd, redis, options })
  if (options.parts.has('scripts')) result.scripts = await runScripts({ ...crowd, redis, options })
  if (options.parts.has('neighbours'))
    result.neighbours = await runNeighbours({ ...crowd, keys: options.neighbourKeys })
  backing.control.close()
  await stop(backing.entry)

  // Numbers of a smoke run mean nothing, so they meet and miss nothing.
  result.bars = options.quick ? [] : bars(result)
  console.log(report(result, options.markdown))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  if (options.gate && result.bars.some((bar) => bar.met === false)) process.exitCode = 1
}

function commit() {
  const git = (...args) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'
    return git('rev-parse', '--short=12', 'HEAD') + changed
  } catch {
    return 'unknown'
  }
}

main().then(
  () => process.exit(),
  (error) => {
    console.error(`bench: ${error.message}`)
    process.exit(1)
  },
)
