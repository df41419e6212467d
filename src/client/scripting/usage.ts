import type { Errand, Exchange } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'
import { type Caller, CallFailed } from '../../upstream/caller.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { runsScripts } from './escort.ts'
import type { ScriptStore } from './store.ts'
import { tenantAtServer } from './tenant-at-server.ts'

/** What it asks of those who send scripts. */
interface UsageHost {
  readonly store: ScriptStore
  callerOf(client: DispatchClient, receivedAt?: number): Caller
}

/**
 * Which tenants have ever used scripts, here or, as the store tells, through other processes. Transactions of those run as the
 * tenant's own user, since any member may be a script; the others keep a connection on which more is allowed (SORT with BY, PUBSUB).
 */
export class ScriptUsage {
  private readonly host: UsageHost
  /** By name; absent: not known. */
  private readonly used = new Map<string, boolean>()

  constructor(host: UsageHost) {
    this.host = host
  }

  /** The tenant uses a script. */
  note({ name }: Tenant): void {
    this.used.set(name, true)
  }

  forget(tenant: string): void {
    this.used.delete(tenant)
  }

  /** undefined: not known yet. */
  of(tenant: Tenant): boolean | undefined {
    if (!runsScripts(tenant)) return false
    return tenant.extensions.has('throttle') || tenant.functions === 'trusted' || this.used.get(tenant.name)
  }

  private async ask(client: DispatchClient, tenant: Tenant, x: Exchange): Promise<boolean> {
    const any = await this.host.store.any(this.host.callerOf(client, x.receivedAt), tenant.name)
    // Meanwhile somebody may have sent one.
    const known = this.used.get(tenant.name) ?? any
    this.used.set(tenant.name, known)
    return known
  }

  private async settle(
    client: DispatchClient,
    tenant: Tenant,
    x: Exchange,
    cancelled: () => boolean,
  ): Promise<boolean> {
    const uses = this.of(tenant) ?? (await this.ask(client, tenant, x))
    if (uses && tenant.functions === 'trusted') await tenantAtServer(client, tenant, x.receivedAt, cancelled)
    return uses
  }

  /** x opens a transaction: it goes, as whoever it has to be, on a connection of that user. */
  open(client: DispatchClient, x: Exchange): void {
    const { node, session, transaction } = client
    const { tenant } = session
    if (tenant === undefined || transaction === undefined || node?.walls.on !== true) return
    // Behind WATCH it is settled.
    const uses = transaction.watching && x.spec.name === 'multi' ? transaction.walled : this.of(tenant)
    if (uses !== undefined) transaction.walled = uses
    // Its user may be there from before a reload that lets it call functions.
    if (uses === undefined || (uses && tenant.functions === 'trusted' && !node.walls.has(tenant))) {
      x.way = 'apart'
      x.errand = this.errand(client, x, tenant)
      return
    }
    if (uses) x.as = tenant
  }

  private errand(client: DispatchClient, x: Exchange, tenant: Tenant): Errand {
    let cancelled = false
    return {
      begin: () => {
        this.settle(client, tenant, x, () => cancelled).then(
          (uses) => {
            if (cancelled) return
            if (uses && client.node?.walls.on === true) x.as = tenant
            if (client.transaction !== undefined) client.transaction.walled = uses
            client.prepared(x, 'transaction')
          },
          (error) => cancelled || client.failApart(x, error instanceof CallFailed ? error.code : 'UPSTREAMDOWN'),
        )
      },
      cancel: () => {
        cancelled = true
      },
    }
  }
}
