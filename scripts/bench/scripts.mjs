import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONNECTIONS, parseCsv, VALUE_BYTES } from './cell.mjs'
import { complete } from './children.mjs'
import { startTenants } from './limits-keyward.mjs'
import { cpuMicros } from './proc.mjs'
import { RawClient } from './raw-client.mjs'

/**
 * What a script costs behind Keyward, as CPU of Redis itself: the logins around it, the prologue, and each call of it. The
 * same scripts at the bare Redis, in turn.
 */

const PIPELINE = 16
const KEYS = 10_000
/** Calls of the script of many. */
export const MANY = 10

/** By name; each reads its one key, `calls` times. */
export const SCRIPTS = {
  nothing: { text: 'return 1', calls: 0 },
  'one call': { text: "return redis.call('GET', KEYS[1])", calls: 1 },
  'many calls': { text: `local v for i = 1, ${MANY} do v = redis.call('GET', KEYS[1]) end return v`, calls: MANY },
  'a name at run time': { text: "local c = 'G' .. ARGV[1] return redis.call(c, KEYS[1])", calls: 1 },
}

/**
 * @param {{ rounds: number, seconds: number, warmUp: number }} options
 * @returns {Promise<object | undefined>} a row for each script, arm and round: microseconds of Redis' CPU for each
 *   EVALSHA. undefined when there is no Keyward to measure
 */
export async function runScripts({ redis, backing, found, password, options, log }) {
  if (!found.some(({ name }) => name === 'keyward')) return undefined
  const { rounds, seconds, warmUp, requests } = options
  await backing.fill(['', 'acme:'], KEYS, VALUE_BYTES)
  const keyward = await startTenants({ backing, password, clients: CONNECTIONS }, 'scripts', { acme: {} })
  const arms = {
    bare: { port: backing.port, loginArgs: ['-a', password], login: ['AUTH', password] },
    keyward: { port: keyward.port, loginArgs: keyward.loginArgs, login: keyward.login('acme') },
  }
  try {
    for (const arm of Object.values(arms)) await load(arm)
    const rows = []
    const counts = {}
    for (const script of Object.keys(SCRIPTS)) {
      for (const [arm, to] of Object.entries(arms)) {
        const { throughput } = await cell({ redis, backing, to, script, count: Math.ceil(40_000 * warmUp) })
        counts[`${script} ${arm}`] = requests ?? Math.ceil(throughput * seconds)
      }
    }
    for (let round = 0; round < rounds; round++) {
      const names = round % 2 === 0 ? Object.keys(arms) : Object.keys(arms).toReversed()
      for (const script of Object.keys(SCRIPTS)) {
        for (const arm of names) {
          const count = counts[`${script} ${arm}`]
          rows.push({ script, arm, round, ...(await cell({ redis, backing, to: arms[arm], script, count })) })
        }
      }
    }
    log(`scripts: ${rounds} rounds`)
    return rows
  } finally {
    await keyward.stop()
  }
}

async function load({ port, login }) {
  const client = await RawClient.open(port)
  await client.ask(...login)
  for (const { text } of Object.values(SCRIPTS)) await client.ask('SCRIPT', 'LOAD', text)
  client.close()
}

async function cell({ redis, backing, to, script, count }) {
  const step = CONNECTIONS * PIPELINE
  const requests = Math.ceil(count / step) * step
  const sha = createHash('sha1').update(SCRIPTS[script].text).digest('hex')
  const args = ['-h', '127.0.0.1', '-p', String(to.port), ...to.loginArgs, '--csv']
  args.push('-c', String(CONNECTIONS), '-P', String(PIPELINE), '-n', String(requests), '-r', String(KEYS))
  args.push('EVALSHA', sha, '1', 'key:__rand_int__', 'ET')
  const before = cpuMicros(backing.entry.pid)
  const { rps } = parseCsv(await complete('redis-benchmark', redis.benchmark, args, { env: redis.env }))
  await sleep(30)
  return { requests, throughput: rps, cpu: (cpuMicros(backing.entry.pid) - before) / requests }
}
