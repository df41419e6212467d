import { setTimeout as sleep } from 'node:timers/promises'
import { placeOf } from '../../keyspace/notifications.ts'
import { rawPattern } from '../../keyspace/pattern.ts'
import { CallFailed } from '../../upstream/caller.ts'
import type { Job, JobCall } from './job.ts'
import { Refused, readInteger } from './refused.ts'
import { walk } from './walk.ts'

/** Keys in one UNLINK: as long for Redis as one call of a walk. */
const BATCH = 500
/** Milliseconds between two lines of progress in the log. */
const PROGRESS = 5000
/** Milliseconds between two looks at what is under way. */
const SETTLE_STEP = 2
/** How often the sweep begins anew because a connection was lost under it. */
const MOST_ATTEMPTS = 3

/** FLUSHDB [SYNC | ASYNC]: the selected database. https://redis.io/docs/latest/commands/flushdb/ */
export const flushdb: Job = (call) => flush(call, call.prefix, undefined)

/**
 * FLUSHALL [SYNC | ASYNC]: all databases of the tenant. What lies behind its prefix in none of them, as after another
 * configuration, it cannot see, so it does not delete it either. https://redis.io/docs/latest/commands/flushall/
 */
export const flushall: Job = (call) => flush(call, Buffer.from(call.tenant.prefix, 'latin1'), call.tenant.databases)

/**
 * Both ways answer when all is deleted: were ASYNC answered before, the sweep would delete what was written and
 * acknowledged behind it. Other requests of the tenant wait meanwhile, as long as `hold` allows. It goes on to its
 * end when the client leaves, as it would in Redis; half of a database is of no use to anybody.
 */
async function flush(call: JobCall, prefix: Buffer, databases: number | undefined): Promise<void> {
  const { args, env, reply, tenantIndex, caller, client } = call
  if (args.length > 2 || (args.length === 2 && !/^a?sync(\0|$)/i.test(args[1].toString('latin1', 0, 6)))) {
    reply.error('ERR syntax error')
    return
  }
  await env.sweeps.run(tenantIndex, async () => {
    const { hold } = caller.node.options
    const gate = { why: 'flush', tenantIndex, prefix, writesOnly: false, owner: client, most: hold.memory } as const
    env.gates.close(gate, hold.time)
    try {
      await settle(call, hold.time)
      await sweep(call, prefix, databases)
    } finally {
      env.gates.open(gate)
    }
  })
  reply.simple('OK')
}

/**
 * Waits, for at most `time` milliseconds, until what other clients of the tenant sent before the gate closed is answered:
 * executed in the middle of the sweep, it would be half deleted, or carry keys from before it to behind it.
 */
async function settle({ env, tenantIndex, client }: JobCall, time: number): Promise<void> {
  const until = performance.now() + time
  while (env.underWay(tenantIndex, client) && performance.now() < until) await sleep(SETTLE_STEP)
}

/** `databases`: only keys whose prefix goes on with the number of one of so many. */
async function sweep(call: JobCall, prefix: Buffer, databases: number | undefined): Promise<void> {
  const { env, tenant } = call
  const ground = { ...call, prefix }
  const begun = performance.now()
  let saidAt = begun
  let deleted = 0
  let unsure = false
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const page of walk(ground, env.specs.scan, rawPattern(prefix, ALL))) {
        const keys =
          databases === undefined ? page : page.filter((key) => placeOf(key, NOTHING, databases) !== undefined)
        for (let i = 0; i < keys.length; i += BATCH) deleted += await unlink(ground, keys.slice(i, i + BATCH))
        if (performance.now() - saidAt < PROGRESS) continue
        saidAt = performance.now()
        env.log.info({ tenant: tenant.name, deleted, seconds: seconds(begun) }, 'flush: deleting keys')
      }
      break
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error
      // Whether those of the last batch were deleted is not known, but the next sweep will find out, if there is one.
      unsure ||= error.code === 'OUTCOMEUNKNOWN'
      if (error.code !== 'UPSTREAMDOWN' && attempt < MOST_ATTEMPTS) continue
      if (deleted === 0 && !unsure) throw error
      env.log.warn({ tenant: tenant.name, deleted, code: error.code }, 'flush: broken off, some keys are left')
      throw new CallFailed('OUTCOMEUNKNOWN')
    }
  }
  if (performance.now() - begun >= PROGRESS)
    env.log.info({ tenant: tenant.name, deleted, seconds: seconds(begun) }, 'flush: done')
}

async function unlink({ caller, prefix, env }: JobCall, keys: readonly Buffer[]): Promise<number> {
  const raw = keys.map((key) => Buffer.concat([prefix, key]))
  const count = await caller.paced(() => caller.call(env.specs.unlink, ['UNLINK', ...raw], readInteger))
  if (count instanceof Refused) throw count
  return count
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1000)
}

const ALL = Buffer.from('*')
const NOTHING = Buffer.alloc(0)
