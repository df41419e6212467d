import type { Exchange } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'
import { CallFailed } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import { isReply } from '../scripting/tenant-at-server.ts'
import { whoseLua } from '../scripting/whose-lua.ts'
import type { Job } from './job.ts'
import { Refused } from './refused.ts'

/** How often it is looked at what stays unanswered, and milliseconds between two looks. */
const LOOKS = 3
const BETWEEN = 10

/**
 * SCRIPT KILL: only when what runs is the tenant's own, as far as this process knows. A server that is busy goes on reading, and answers
 * BUSY to all, but for the connection whose script runs: that one alone is silent. So the script that runs is among those that were
 * sent before the server said that it is busy, and stay unanswered while it says so again and again. All of them have to be the tenant's
 * own (TenantRuns keeps those of others from being sent behind them). It goes on a connection of its own, as those of clients wait
 * for the script.
 */
export const kill: Job = async ({ caller, env, reply, tenant }) => {
  const { node } = caller
  const { scripting } = env
  const free = tenant.prefix === ''
  if (!free && !scripting.mayRunOn(tenant, node) && ![...runsAt(node)].some((x) => isOf(x, tenant))) {
    throw new Refused(NOT_BUSY)
  }
  if (!free) {
    const silent = await silentRuns(node)
    // Those whose connection is gone are not among them. If there may be such, one of the tenant's own must have been sent before.
    const others = scripting.othersMayRunOn(tenant, node)
    const lost = scripting.mayRunOn(tenant, node) && others === Number.POSITIVE_INFINITY
    const own = silent.length > 0 ? silent.some(({ since }) => since <= others) : lost
    if (!own || silent.some((x) => isOthers(x, tenant))) throw new Refused(NOT_BUSY)
  }
  try {
    await node.walls.call('SCRIPT', 'KILL')
  } catch (error) {
    if (!isReply(error)) throw new CallFailed('UPSTREAMDOWN')
    throw new Refused(Buffer.from(`-${error.message}\r\n`, 'latin1'))
  }
  reply.simple('OK')
}

/** Of the scripts that this process has sent, those that one of which runs, unless somebody else's does. None: the server is not busy. */
async function silentRuns(node: Node): Promise<readonly Exchange[]> {
  if (!(await isBusy(node))) return []
  let runs = [...runsAt(node)]
  for (let look = 0; look < LOOKS && runs.length > 0; look++) {
    await new Promise((resolve) => setTimeout(resolve, BETWEEN))
    if (!(await isBusy(node))) return []
    runs = runs.filter(isUnanswered)
  }
  return runs
}

/** Sent and unanswered, with Lua of a tenant. */
function* runsAt(node: Node): Iterable<Exchange> {
  for (const { queue } of node.connections()) {
    for (let x = queue.next; x !== undefined; x = x.next) if (isUnanswered(x) && whoseLua(x).length > 0) yield x
  }
}

function isUnanswered({ place }: Exchange): boolean {
  return place === 'sent' || place === 'abandoned'
}

function isOf(x: Exchange, { name }: Tenant): boolean {
  return whoseLua(x).some((owner) => owner.name === name)
}

function isOthers(x: Exchange, { name }: Tenant): boolean {
  return whoseLua(x).some((owner) => owner.name !== name)
}

/** The server answers when it knows: at once, or when a script has run for so long that it calls it slow. */
async function isBusy(node: Node): Promise<boolean> {
  try {
    await node.walls.call('PING')
    return false
  } catch (error) {
    if (!isReply(error)) throw new CallFailed('UPSTREAMDOWN')
    return error.message.startsWith('BUSY ')
  }
}

const NOT_BUSY = Buffer.from('-NOTBUSY No scripts in execution right now.\r\n')
