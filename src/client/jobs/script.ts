import type { Exchange } from '../../commands/exchange.ts'
import { originalError } from '../../keyspace/scripting/wrap-script.ts'
import type { Tenant } from '../../session/tenant.ts'
import { CallFailed } from '../../upstream/caller.ts'
import { shaOf } from '../scripting/scripts.ts'
import { isReply } from '../scripting/tenant-at-server.ts'
import { TenantRun } from '../scripting/tenant-run.ts'
import type { Member } from '../transaction.ts'
import type { Job, JobCall } from './job.ts'
import { Refused } from './refused.ts'

/** SCRIPT LOAD: compiled by the server, which says what is wrong with it, and kept in the tenant's store. */
export const load: Job = async (call) => {
  const { caller, env, reply, tenant } = call
  const { scripting } = env
  const { largest, perTenant } = scripting.limits
  const text = call.args[2]
  if (text.length > largest) throw refusal(call, 'the script is longer than scripts.largest')
  scripting.usage.note(tenant)
  const sha = shaOf(text)
  const { walls } = caller.node
  if (walls.refused && !tenant.trustedScripts.has(sha)) throw refusal(call, walls.refusal)
  const overRate = scripting.reader.overRate(call.client, 'script|load', sha, text.length)
  if (overRate !== undefined) throw new Refused(Buffer.from(`-${overRate}\r\n`))
  const script = scripting.scripts.of(text, tenant, sha)
  const form = scripting.scripts.formFor(caller.node, script)
  try {
    await walls.call('SCRIPT', 'LOAD', form.text)
  } catch (error) {
    if (!isReply(error)) throw new CallFailed('UPSTREAMDOWN')
    throw new Refused(originalError(Buffer.from(`-${error.message}\r\n`), { sha: form.sha, original: sha }))
  }
  scripting.scripts.hasLoaded(caller.node, script, form)
  await scripting.store.put(caller, tenant.name, script.sha, script.text, perTenant)
  scripting.scripts.learn(tenant, script.sha, true)
  reply.bulk(script.sha)
}

/** SCRIPT EXISTS */
export const exists: Job = async ({ args, caller, env, reply, tenant }) => {
  const { scripts, store } = env.scripting
  const found: boolean[] = []
  for (const arg of args.slice(2)) {
    const sha = arg.toString('latin1').toLowerCase()
    // Of one that is not kept upstream yet, the text may have made room for others.
    const known = scripts.knows(tenant, sha)
    const here = known !== undefined && (known.stored || scripts.get(sha, tenant) !== undefined)
    found.push(here || (/^[0-9a-f]{40}$/.test(sha) && (await store.has(caller, tenant.name, sha))))
  }
  reply.array(found.length)
  for (const is of found) reply.integer(is ? 1 : 0)
}

/** SCRIPT FLUSH [ASYNC|SYNC]: of the tenant's own. What the server has compiled is shared, and stays. */
export const flush: Job = async ({ args, caller, env, reply, tenant }) => {
  const mode = args[2]?.toString('latin1').toLowerCase()
  if (args.length > 3 || (mode !== undefined && mode !== 'async' && mode !== 'sync')) {
    throw new Refused(Buffer.from('-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n'))
  }
  env.scripting.scripts.forget(tenant.name)
  await env.scripting.store.flush(caller, tenant.name)
  env.scripting.scripts.forget(tenant.name)
  reply.simple('OK')
}

/**
 * SCRIPT KILL: only when the scripts under way at the server are the tenant's own, as far as this process knows. It goes on a
 * connection of its own, as those of clients wait for the script.
 */
export const kill: Job = async ({ caller, env, reply, tenant }) => {
  const { node } = caller
  let own = tenant.prefix === '' || env.scripting.mayRunOn(tenant, node)
  for (const { queue } of node.connections()) {
    for (let x = queue.next; x !== undefined; x = x.next) {
      if (x.place !== 'sent' && x.place !== 'abandoned') continue
      for (const owner of tenantsOf(x)) {
        if (owner.name !== tenant.name) throw new Refused(NOT_BUSY)
        own = true
      }
    }
  }
  if (!own) throw new Refused(NOT_BUSY)
  try {
    await node.walls.call('SCRIPT', 'KILL')
  } catch (error) {
    if (!isReply(error)) throw new CallFailed('UPSTREAMDOWN')
    throw new Refused(Buffer.from(`-${error.message}\r\n`, 'latin1'))
  }
  reply.simple('OK')
}

/** Whose Lua runs when x is executed, or when what its EXEC does is. */
function tenantsOf({ note }: Exchange): readonly Tenant[] {
  if (note instanceof TenantRun) return [note.tenant]
  if (!(note instanceof Map)) return []
  return [...note.values()].flatMap((member: Member) => (member.kind === 'script' ? [member.run.tenant] : []))
}

const NOT_BUSY = Buffer.from('-NOTBUSY No scripts in execution right now.\r\n')

function refusal({ client, env }: JobCall, reason: string): Refused {
  return new Refused(env.scripting.refusal(client, 'script|load', reason))
}
