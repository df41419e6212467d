import { originalError, type ScriptForm } from '../../keyspace/scripting/wrap-script.ts'
import { asOperator } from '../scripting/as-operator.ts'
import { compileError } from '../scripting/compile-error.ts'
import { type Script, shaOf } from '../scripting/scripts.ts'
import { isReply } from '../scripting/tenant-at-server.ts'
import type { Job, JobCall } from './job.ts'
import { Refused } from './refused.ts'

/** SCRIPT LOAD: compiled by the server, which says what is wrong with it, and kept in the tenant's store. */
export const load: Job = async (call) => {
  const { caller, env, reply, tenant } = call
  const { scripting } = env
  const { largest } = scripting.limits
  const text = call.args[2]
  if (text.length > largest) throw refusal(call, 'the script is longer than scripts.largest')
  scripting.usage.note(tenant)
  const sha = shaOf(text)
  const { walls } = caller.node
  if (walls.refused && !tenant.trustedScripts.has(sha)) throw refusal(call, walls.refusal)
  const overRate = scripting.reader.overRate(call.client, 'script|load', sha, text.length)
  if (overRate !== undefined) throw new Refused(Buffer.from(`-${overRate}\r\n`))
  const script = scripting.scripts.of(text, tenant, sha)
  let form: ScriptForm = script.wrapped
  try {
    // Twice is as good as once: nobody sees it before the text is kept.
    await asOperator(caller, true, (walls) => {
      form = scripting.scripts.formFor(caller.node, script)
      return walls.call('SCRIPT', 'LOAD', form.text)
    })
  } catch (error) {
    if (!isReply(error)) throw error
    const line = await compileError(caller.node.walls, form.text, error.message)
    throw new Refused(originalError(line, { sha: form.sha, original: sha }))
  }
  scripting.scripts.hasLoaded(caller.node, script, form)
  await keep(call, script)
  reply.bulk(script.sha)
}

/** Puts it into the tenant's store. */
async function keep({ caller, env, tenant }: JobCall, { sha, text }: Script): Promise<void> {
  const { limits, scripts, store } = env.scripting
  const isNew = scripts.knows(tenant, sha) === undefined
  const known = scripts.learn(tenant, sha, false)
  try {
    await store.put(caller, tenant.name, sha, text, limits.perTenant)
  } catch (error) {
    if (isNew && scripts.knows(tenant, sha) === known && !known.stored && known.uses === 0)
      scripts.forget(tenant.name, sha)
    throw error
  }
  // SCRIPT FLUSH may have come meanwhile, in front or behind: whether the text is there then, the store knows.
  if (scripts.knows(tenant, sha) === known) known.stored = true
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

function refusal({ client, env }: JobCall, reason: string): Refused {
  return new Refused(env.scripting.refusal(client, 'script|load', reason))
}
