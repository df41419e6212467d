import { afterAll, beforeAll, expect, test } from 'vitest'
import { scopeArgument } from '../../../../src/keyspace/scripting/scope.ts'
import { wrapScript } from '../../../../src/keyspace/scripting/wrap-script.ts'
import { request } from '../../../helpers/raw-client.ts'
import { TABLE, tenantWith, World } from './world.ts'

/*
 * What a prologue costs, as Redis itself counts the time in EVALSHA: 4 µs more for a script, 0.4 µs for a call of it. The least of
 * many short measurements counts, taken in turns, since others use the machine, too. The figures are the benchmark's; here it fails when a
 * prologue has become another kind of thing: a table that is built for each script, a pattern that is searched for each call.
 */

const QUICK = (process.env.KEYWARD_TIER ?? 'default') === 'default'
const ROUNDS = QUICK ? 6 : 30
const SLACK = 10

let world: World
beforeAll(async () => {
  world = await World.open()
  await world.inside.command('MSET', 'acme:k', '1', 'k', '1')
})
afterAll(() => world?.close())

/** Microseconds for one run, of `runs`. */
async function measured(
  sha: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
  runs: number,
): Promise<number> {
  await world.inside.command('CONFIG', 'RESETSTAT')
  const call = request('EVALSHA', sha, keys.length, ...keys, ...args)
  await world.inside.exchange(Buffer.concat(Array.from({ length: runs }, () => call)), runs)
  const stats = await world.inside.command('INFO', 'commandstats')
  return Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(stats)?.[1])
}

async function load(text: string | Buffer): Promise<string> {
  return (await world.inside.command('SCRIPT', 'LOAD', text)).split('\r\n')[1]
}

async function compare(script: string, runs: number): Promise<{ bare: number; wrapped: number }> {
  const bareSha = await load(script)
  const sha = await load(wrapScript(Buffer.from(script), TABLE, { ttl: false }).text)
  const scope = scopeArgument(tenantWith(), 0)
  let [bare, wrapped] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let i = 0; i < ROUNDS; i++) {
    bare = Math.min(bare, await measured(bareSha, ['k'], ['60'], runs))
    wrapped = Math.min(wrapped, await measured(sha, ['acme:k'], ['60', scope], runs))
  }
  return { bare, wrapped }
}

/** Scripts, with how many calls they make. */
const SCRIPTS: readonly (readonly [what: string, calls: number, script: string])[] = [
  ['nothing', 0, 'return 1'],
  ['one GET', 1, `return redis.call('GET', KEYS[1])`],
  ['one GET by another name', 1, `local rcall = redis.call return rcall('GET', KEYS[1])`],
  [
    'a limiter',
    2,
    `local n = redis.call('INCR', KEYS[1]) if n % 2 == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) else redis.call('TTL', KEYS[1]) end return n`,
  ],
  ['10 GET', 10, `for i = 1, 10 do redis.call('GET', KEYS[1]) end`],
  ['100 GET', 100, `for i = 1, 100 do redis.call('GET', KEYS[1]) end`],
  ['100 DEL', 100, `for i = 1, 100 do redis.call('DEL', 'x') end`],
  ['100 RPOPLPUSH', 100, `for i = 1, 100 do redis.call('RPOPLPUSH', 'x', 'y') end`],
  ['100 commands named at run time', 100, `local c = 'GET' for i = 1, 100 do redis.call(c, KEYS[1]) end`],
]

test.each(SCRIPTS)('%s', async (what, calls, script) => {
  const { bare, wrapped } = await compare(script, Math.max(100, 3000 / Math.max(1, calls)))
  const more = wrapped - bare
  console.log(`${what}: ${bare.toFixed(2)} µs bare, ${wrapped.toFixed(2)} wrapped, ${more.toFixed(2)} more`)
  expect(more).toBeLessThan(SLACK * (4 + 0.4 * calls))
})
