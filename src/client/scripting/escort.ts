import type { Errand, Exchange, Way } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { tenantAtServer } from './tenant-at-server.ts'

/** May requests of this tenant run scripts, its own or Keyward's? Then they do so as a user of its own, where there are walls. */
export function runsScripts({ extensions, functions, prefix, scripts }: Tenant): boolean {
  return prefix !== '' && (scripts === 'allow' || functions === 'trusted' || extensions.has('throttle'))
}

/**
 * Puts x, which is a script of Keyward's own (CL.THROTTLE) or a function of the tenant's and has its bytes, between the logins of its
 * tenant's user: lanes may run no scripts. Where that user has to be made first, x goes apart for that.
 */
export function escort(client: DispatchClient, x: Exchange): void {
  const { walls } = client.node as Node
  const { tenant } = client.session
  if (walls.refused || tenant === undefined) return
  if (x.way === 'transaction') {
    // Behind a WATCH whose connection is lost it asks for a new one.
    if (walls.on) x.as = tenant
  } else if (walls.on && walls.has(tenant)) login(x, client.node as Node, tenant)
  else escortAgain(client, x, tenant)
}

/** The same for x that was not let in: when it is sent again, its user has been made anew. */
export function escortAgain(client: DispatchClient, x: Exchange, tenant: Tenant): void {
  x.errand = new Escort(x, client, tenant, x.way)
  x.way = 'apart'
}

function login(x: Exchange, { walls }: Node, tenant: Tenant): void {
  const logins = walls.loginsOf(tenant)
  const request = x.bytes.subarray(x.start, x.end)
  x.as = tenant
  x.setBytes(
    Buffer.concat(x.tail === undefined ? [logins.in, request, logins.out] : [logins.in, request, x.tail, logins.out]),
  )
}

class Escort implements Errand {
  private readonly x: Exchange
  private readonly client: DispatchClient
  private readonly tenant: Tenant
  private readonly way: Way
  private cancelled = false

  constructor(x: Exchange, client: DispatchClient, tenant: Tenant, way: Way) {
    this.x = x
    this.client = client
    this.tenant = tenant
    this.way = way
  }

  begin(): void {
    const { client, tenant, way, x } = this
    tenantAtServer(client, tenant, x.receivedAt, () => this.cancelled).then(
      (node) => {
        if (this.cancelled) return
        if (node.walls.on) login(x, node, tenant)
        client.prepared(x, way)
      },
      () => this.cancelled || client.failApart(x, 'UPSTREAMDOWN'),
    )
  }

  cancel(): void {
    this.cancelled = true
  }
}
