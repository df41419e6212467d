import { randomBytes, randomInt } from 'node:crypto'
import { rawPattern } from '../../keyspace/pattern.ts'
import type { Job, JobCall } from './job.ts'
import { scanOnce, WALK_COUNT } from './walk.ts'

/** RANDOMKEYs in one write: 32 times a microsecond of Redis' time. */
const TRIES = 32
/** Keys among which a walk draws lots. The more, the less it matters how they lie in Redis' table. */
const ENOUGH = 16

/**
 * RANDOMKEY. First Redis' own, many times over, until a key of this database is among them: that favours none of its
 * keys, and nearly always succeeds for a tenant with a tenth of the server. Otherwise a walk from a random place in
 * Redis' table, until there are enough keys to draw lots, or, after `scan.fillTime`, at least one; a key behind
 * a long gap of others' is then drawn more often. https://redis.io/docs/latest/commands/randomkey/
 */
export const randomkey: Job = async (call) => {
  const key = (await byLuck(call)) ?? (await call.env.sweeps.run(call.tenantIndex, () => byWalk(call)))
  if (key === undefined) call.reply.null()
  else call.reply.bulk(key)
}

async function byLuck({ caller, env, prefix }: JobCall): Promise<Buffer | undefined> {
  const calls = Array.from({ length: TRIES }, () => caller.call(env.specs.randomkey, ['RANDOMKEY'], ({ text }) => text))
  for (const text of await Promise.all(calls)) {
    if (
      text !== undefined &&
      text.length >= prefix.length &&
      text.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
    )
      return text.subarray(prefix.length)
  }
  return undefined
}

async function byWalk(call: JobCall): Promise<Buffer | undefined> {
  const { env, caller } = call
  const pattern = rawPattern(call.prefix, ALL)
  const until = performance.now() + caller.node.options.scan.fillTime
  const found: Buffer[] = []
  // Any number is a cursor: Redis takes as many bits of it as its table needs.
  let cursor = String(randomBytes(8).readBigUInt64LE() >> 1n)
  let ends = 0
  while (ends < 2 && found.length < ENOUGH && (found.length === 0 || performance.now() < until)) {
    const from = cursor
    const page = await caller.paced(() => scanOnce(call, env.specs.scan, from, pattern, WALK_COUNT, undefined))
    found.push(...page.keys)
    cursor = page.cursor
    // Behind the end the walk goes on at the beginning, once: then it has seen everything.
    if (cursor === '0') ends++
  }
  return found.length === 0 ? undefined : found[randomInt(found.length)]
}

const ALL = Buffer.from('*')
