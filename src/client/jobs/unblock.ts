import { parseInt64 } from '../../lib/int64.ts'
import { CallFailed } from '../../upstream/caller.ts'
import { type Unblocked, unblock as unblockPin } from '../../upstream/unblock.ts'
import type { Job } from './job.ts'

/** Longest id, and longest keyword, in bytes. */
const WORD_BYTES = 20

/**
 * CLIENT UNBLOCK id [TIMEOUT | ERROR] for a client of the tenant whose command blocks on a connection of its own. One
 * that still waits for that connection, or for an upstream that is away, does not block yet and counts as not blocked.
 * https://redis.io/docs/latest/commands/client-unblock/
 */
export const unblock: Job = async ({ args, env, reply, tenant }) => {
  if (args.length > 4) {
    const name = args[1].toString('latin1')
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${name}'. Try CLIENT HELP.`)
    return
  }
  const reason = args.length === 4 ? args[3].toString('latin1', 0, WORD_BYTES + 1).toUpperCase() : 'TIMEOUT'
  if (reason !== 'TIMEOUT' && reason !== 'ERROR') {
    reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
    return
  }
  const id = parseInt64(args[2].toString('latin1', 0, WORD_BYTES + 1))
  if (id === undefined) {
    reply.error('ERR value is not an integer or out of range')
    return
  }
  const blocked = env.findClient(tenant, Number(id))?.router.blockedOn
  if (blocked === undefined) {
    reply.integer(0)
    return
  }
  const what = await new Promise<Unblocked>((resolve) => unblockPin(blocked.node, blocked.pin, reason, resolve))
  if (what === 'not sent') throw new CallFailed('UPSTREAMDOWN')
  if (what === 'unknown') throw new CallFailed('OUTCOMEUNKNOWN')
  reply.integer(what === 'yes' ? 1 : 0)
}
