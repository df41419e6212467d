import type { Tenant } from '../../session/tenant.ts'
import { CallFailed } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'

/** Milliseconds between two tries. */
const AGAIN = 100

/**
 * Resolves with the node of the day when its server has the tenant's user, or is known to have no walls. While the server is away it
 * is tried again, for hold.time from `receivedAt` (clock milliseconds). Rejects with CallFailed after that, or when nobody waits
 * any more.
 */
export async function tenantAtServer(
  client: DispatchClient,
  tenant: Tenant,
  receivedAt: number,
  cancelled: () => boolean,
): Promise<Node> {
  for (;;) {
    const { node } = client
    if (cancelled() || node === undefined) throw new CallFailed('UPSTREAMDOWN')
    const { walls } = node
    if (walls.refused) return node
    try {
      if (walls.on) {
        await walls.ensure(tenant)
        return node
      }
    } catch (error) {
      // Anything else (BUSY, LOADING, no connection) is over some time.
      if (isReply(error) && /^(NOPERM|ERR) /.test(error.message)) {
        walls.tried(error.message)
        continue
      }
    }
    const since = node.downSince === undefined ? receivedAt : Math.max(receivedAt, node.downSince)
    if (node.failsFast || node.clock.tick() - since >= node.holdTime) throw new CallFailed('UPSTREAMDOWN')
    await new Promise((resolve) => setTimeout(resolve, AGAIN).unref())
  }
}

/** An error that the server sent. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}
