import { setTimeout as sleep } from 'node:timers/promises'
import { assertRunning, complete } from './children.mjs'
import { cpuMicros } from './proc.mjs'

export const CONNECTIONS = 50
export const VALUE_BYTES = 64
export const KEYS = 100_000

/** Requests of a cell must be a multiple of this, or redis-benchmark sends more than it was asked to. */
const STEP = CONNECTIONS * 16

/** What redis-benchmark says about every server that has no CONFIG for it; not an error of the measured requests. */
const NO_CONFIG = /CONFIG/

/**
 * One cell: redis-benchmark with one command at one pipelining depth against one target. CPU in microseconds per
 * request; `proxyCpu` is undefined for the bare Redis; latencies in milliseconds.
 *
 * @throws Error when Redis did not execute exactly the requests asked for, all of them well
 */
export async function runCell({ redis, backing, target, command, pipeline, requests }) {
  const count = Math.ceil(requests / STEP) * STEP
  const args = ['-h', '127.0.0.1', '-p', String(target.port), ...target.loginArgs, '-t', command, '--csv']
  args.push('-c', String(CONNECTIONS), '-P', String(pipeline), '-n', String(count))
  args.push('-d', String(VALUE_BYTES), '-r', String(KEYS))
  const before = await snapshot(backing, target)
  const startedAt = performance.now()
  const result = await complete('redis-benchmark', redis.benchmark, args, { env: redis.env })
  const seconds = (performance.now() - startedAt) / 1000
  // The target notices that 50 clients have left: that belongs to the cell.
  await sleep(30)
  const after = await snapshot(backing, target)
  assertRunning(target.entry)
  const csv = parseCsv(result)
  check({ before, after, command, count, target, pipeline })
  return {
    requests: count,
    seconds,
    proxyCpu: target.isProxy ? (after.proxy - before.proxy) / count : undefined,
    redisCpu: (after.cpu - before.cpu) / count,
    throughput: csv.rps,
    p50: csv.p50,
    p99: csv.p99,
  }
}

async function snapshot(backing, target) {
  return { ...(await backing.usage()), proxy: target.isProxy ? cpuMicros(target.pid) : 0 }
}

export function parseCsv({ code, stdout, stderr }) {
  const problems = `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => /error|NOAUTH|closed/i.test(line) && !NO_CONFIG.test(line))
  if (code !== 0 || problems.length > 0) {
    throw new Error(
      `redis-benchmark ended with ${code}: ${(problems.join('\n') || stderr || stdout).trim().slice(0, 1000)}`,
    )
  }
  const lines = stdout.split('\n').filter((line) => line.startsWith('"'))
  const cells = (line) => line.split(',').map((cell) => cell.replaceAll('"', ''))
  if (lines.length !== 2) throw new Error(`redis-benchmark printed no table: ${stdout.slice(0, 500)}`)
  const names = cells(lines[0])
  const values = cells(lines[1])
  const field = (name) => {
    const value = Number(values[names.indexOf(name)])
    if (!Number.isFinite(value)) throw new Error(`redis-benchmark's table has no ${name}: Redis 6.2 or later is needed`)
    return value
  }
  return { rps: field('rps'), p50: field('p50_latency_ms'), p99: field('p99_latency_ms') }
}

function check({ before, after, command, count, target, pipeline }) {
  const where = `${target.name}, ${command.toUpperCase()} at -P ${pipeline}`
  const must = (name, found, wanted) => {
    if (found !== wanted) throw new Error(`${where}: ${name} ${found}, expected ${wanted}`)
  }
  // A rate limit with `scope: global` has its one bucket read and written by a script, which counts like any other request.
  const own = after.scripts - before.scripts
  must('requests that Redis executed:', after[command] - before[command], count + own)
  must('requests that failed in Redis:', after.failed - before.failed, 0)
  if (command === 'get') {
    const misses = after.misses - before.misses
    must('GETs that found their key:', after.hits - before.hits + misses, count + own)
    if (misses > own) must('GETs that found no key:', misses, 0)
  }
}
