import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { complete } from './children.mjs'
import { askAll } from './limits-clients.mjs'
import { metric, startLimited } from './limits-keyward.mjs'
import { residentBytes } from './proc.mjs'

/**
 * What clients cost that invent names: a million of them at a rule with the usual bound of 100,000 buckets. Addresses
 * cannot be invented on one machine, so they go to the table of buckets itself; keys go through a whole Keyward.
 */

const NAMES = 1_000_000
const BUCKETS = 100_000

const TABLE = fileURLToPath(new URL('limits-table.mjs', import.meta.url))
const COLLECTING = ['--expose-gc', '--import', new URL('limits-gc.mjs', import.meta.url).href]
const HOUR = { rate: '1/h', burst: 1 }

export async function runLimitMemory({ common, log }) {
  const rows = [await addresses(), await keys(common)]
  for (const { what, bytes } of rows) log(`limits, memory: ${what}, ${(bytes / 2 ** 20).toFixed(2)} MiB`)
  return rows
}

/** What the buckets hold when all have come, by the garbage collector's books. */
async function addresses() {
  const { code, stdout, stderr } = await complete('the table of buckets', process.execPath, [
    '--expose-gc',
    TABLE,
    String(NAMES),
    String(BUCKETS),
  ])
  if (code !== 0) throw new Error(`the table of buckets ended with ${code}: ${stderr.trim()}`)
  return { what: 'addresses, the table alone', names: NAMES, ...JSON.parse(stdout) }
}

/**
 * By how much the resident memory of a Keyward grows. Before, it has passed on as many requests of one tenant and refused
 * as many of another, so that what any flood leaves in a heap is not counted as the buckets'.
 */
async function keys(common) {
  const rule = { name: 'per-key', per: 'match', keys: 'k:*', ...HOUR }
  const target = await startLimited(
    common,
    'memory',
    { acme: [rule], free: [], bound: [{ name: 'all', ...HOUR }] },
    COLLECTING,
  )
  const flood = (tenant) =>
    askAll([{ port: target.port, login: target.login(tenant), connections: 50, depth: 16, names: NAMES }])
  const number = (name) => metric(target, `keyward_limit_${name}`, { tenant: 'acme', rule: 'per-key' })
  try {
    await flood('free')
    await flood('bound')
    const before = await settled(target.pid)
    const [{ admitted }] = await flood('acme')
    const bytes = (await settled(target.pid)) - before
    return {
      what: 'keys, a whole Keyward',
      names: NAMES,
      admitted,
      buckets: await number('buckets'),
      overflows: await number('overflows_total'),
      bytes,
    }
  } finally {
    await target.stop()
  }
}

/** Resident bytes without garbage: limits-gc.mjs is in that process. */
async function settled(pid) {
  for (let i = 0; i < 3; i++) {
    process.kill(pid, 'SIGUSR2')
    await sleep(500)
  }
  return residentBytes(pid)
}
