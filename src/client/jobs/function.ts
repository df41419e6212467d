import { ERROR_BYTES } from '../../errors.ts'
import { scopeLibrary } from '../../keyspace/scripting/function-library.ts'
import { functionScope, withOwnNames } from '../../keyspace/scripting/function-names.ts'
import { CallFailed } from '../../upstream/caller.ts'
import { asOperator } from '../scripting/as-operator.ts'
import { isReply } from '../scripting/tenant-at-server.ts'
import { isForeign, libraries, libraryOf } from './function-list.ts'
import type { Asker, Job } from './job.ts'
import { Refused } from './refused.ts'

/*
 * FUNCTION of tenants with a prefix: as the upstream's user of the configuration, on Keyward's own connection, since a
 * tenant's user may call functions and no more. Names upstream are the tenant's own (keyspace/scripting/function-names.ts).
 */

/**
 * FUNCTION LOAD [REPLACE] code. scopeLibrary() lets a library register under the tenant's names alone. Should it find a way around that
 * at some server, it is taken back, and the one before it put in its place again; what could not be looked at, since
 * the connection was lost, is looked at later. https://redis.io/docs/latest/commands/function-load/
 */
export const load: Job = async (call) => {
  const { args, caller, client, env, reply, tenant } = call
  const options = args.slice(2, -1)
  const unknown = options.find((option) => !/^replace$/i.test(option.toString('latin1')))
  if (unknown !== undefined) {
    reply.error(`ERR Unknown option given: ${unknown.toString('latin1').split('\0')[0]}`)
    return
  }
  const code = args[args.length - 1]
  if (code.length > env.scripting.limits.largest)
    throw new Refused(env.scripting.refusal(client, 'function|load', 'the library is longer than scripts.largest'))
  const scope = functionScope(tenant.name)
  const valkey = Number.parseInt(caller.node.facts.info.get('valkey_version') ?? '0', 10)
  const library = scopeLibrary(code, scope, valkey)
  if (typeof library === 'string') {
    reply.error(library)
    return
  }
  const { scoped } = library
  if (env.unchecked.full) throw new CallFailed('UPSTREAMDOWN')
  const before = options.length === 0 ? undefined : await libraryOf(call, scoped)
  let loaded = false
  try {
    await change(call, 'LOAD', ...options, library.code)
    loaded = true
    if (!(await isForeign(call, scoped))) {
      reply.bulk(library.name)
      return
    }
    if (before === undefined) await change(call, 'DELETE', scoped)
    else await change(call, 'LOAD', 'REPLACE', before.code)
  } catch (error) {
    if (!loaded && error instanceof Refused) throw error
    env.unchecked.add({ caller, tenant }, scoped)
    // Whatever became of the look at it, the library was sent.
    throw loaded ? new CallFailed('OUTCOMEUNKNOWN') : error
  }
  client.stats.error('FUNCTIONNAME')
  throw new Refused(ERROR_BYTES.FUNCTIONNAME)
}

/** FUNCTION DELETE library */
export const remove: Job = async (call) => {
  const scope = Buffer.from(functionScope(call.tenant.name), 'latin1')
  await change(call, 'DELETE', Buffer.concat([scope, call.args[2]]))
  call.reply.simple('OK')
}

/** FUNCTION FLUSH [ASYNC|SYNC]: the tenant's libraries, one by one. */
export const flush: Job = async (call) => {
  const { args, reply, tenant } = call
  if (args.length > 3) {
    const said = args[1].toString('latin1').slice(0, 128)
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${said}'. Try FUNCTION HELP.`)
    return
  }
  if (args.length === 3 && !/^a?sync$/i.test(args[2].toString('latin1'))) {
    reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
    return
  }
  for (const { name } of await libraries(call, functionScope(tenant.name), '*')) {
    try {
      await change(call, 'DELETE', name)
    } catch (error) {
      // Somebody was faster.
      if (!(error instanceof Refused && error.message.startsWith('-ERR Library not found'))) throw error
    }
  }
  reply.simple('OK')
}

/** Runs FUNCTION … at the server of the day. Errors have the tenant's own names. */
export async function change({ caller, tenant }: Asker, ...args: readonly (Buffer | string)[]): Promise<void> {
  try {
    await asOperator(caller, false, (walls) => walls.callPatiently('FUNCTION', ...args))
  } catch (error) {
    if (!isReply(error)) throw error
    if (/^(READONLY|LOADING|MASTERDOWN) /.test(error.message)) throw new CallFailed('UPSTREAMDOWN')
    throw new Refused(withOwnNames(Buffer.from(`-${error.message}\r\n`), functionScope(tenant.name)))
  }
}
