import { setTimeout as sleep } from 'node:timers/promises'
import { benchmarkKey } from './backing.mjs'
import { KEYS, VALUE_BYTES } from './cell.mjs'
import { assertRunning } from './children.mjs'
import { cpuMicros } from './proc.mjs'
import { RawClient, request } from './raw-client.mjs'
import { quantile } from './stats.mjs'

/** PHP workers: each connects, logs in, reads one key, says QUIT, waits for the end, and begins again. */
const WORKERS = 8

/**
 * Short connections against every target, interleaved round by round. CPU in microseconds per connection.
 *
 * @param {{ rounds: number, seconds: number }} options `seconds`: the time of a cell
 */
export async function runConnects({ backing, targets, options, log }) {
  for (const target of targets) await cell({ backing, target, seconds: Math.min(1, options.seconds) })
  const rows = []
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(i + round) % targets.length]
      rows.push({ round, target: target.name, ...(await cell({ backing, target, seconds: options.seconds })) })
    }
  }
  log(`short connections: ${rows.reduce((sum, row) => sum + row.connections, 0)} in ${options.rounds} rounds`)
  return rows
}

async function cell({ backing, target, seconds }) {
  const before = await backing.usage()
  const cpuBefore = target.isProxy ? cpuMicros(target.pid) : 0
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  const latencies = []
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(target, worker, until, latencies)))
  const elapsed = (performance.now() - startedAt) / 1000
  await sleep(30)
  const cpuAfter = target.isProxy ? cpuMicros(target.pid) : 0
  const after = await backing.usage()
  assertRunning(target.entry)
  const connections = latencies.length
  if (after.get - before.get !== connections || after.hits - before.hits !== connections) {
    throw new Error(`${target.name}: ${connections} short connections, but ${after.get - before.get} GETs in Redis`)
  }
  return {
    connections,
    proxyCpu: target.isProxy ? (cpuAfter - cpuBefore) / connections : undefined,
    redisCpu: (after.cpu - before.cpu) / connections,
    throughput: connections / elapsed,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }
}

async function work(target, worker, until, latencies) {
  const login = request(...target.login)
  const quit = request('QUIT')
  for (let i = worker; performance.now() < until; i += WORKERS) {
    const startedAt = performance.now()
    const client = await RawClient.open(target.port)
    try {
      expect(await client.send(login), '+OK\r\n')
      const value = await client.send(request('GET', benchmarkKey(i % KEYS)))
      if (!value.startsWith(`$${VALUE_BYTES}\r\n`)) throw new Error(`GET was answered ${value.slice(0, 100)}`)
      if (target.silentQuit) client.write(quit)
      else expect(await client.send(quit), '+OK\r\n')
      await client.closed()
    } finally {
      client.close()
    }
    latencies.push(performance.now() - startedAt)
  }
}

function expect(found, wanted) {
  if (found !== wanted)
    throw new Error(`answered ${JSON.stringify(found.slice(0, 200))}, expected ${JSON.stringify(wanted)}`)
}
