import type { Errand, Exchange } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'
import { type Caller, CallFailed } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { runsScripts } from './escort.ts'
import type { ScriptStore } from './store.ts'
import { tenantAtServer } from './tenant-at-server.ts'

/** What it asks of those who send scripts. */
interface UsageHost {
  readonly store: ScriptStore
  readonly env: {
    readonly clock: { readonly now: number }
    node(tenant: Tenant): Node
  }
  callerOf(client: DispatchClient, receivedAt?: number): Caller
}

/**
 * Milliseconds for which a tenant counts as one without scripts before the store is asked again: another process may have
 * had its first one meanwhile.
 */
const NO_FOR = 1000
/** Milliseconds after which the store is told again what it would not take. */
const TELL_AGAIN = 10_000

/** What is known of one tenant. */
interface Usage {
  /** It uses scripts. */
  uses: boolean
  /** If it does not: when the store was asked. Clock milliseconds. */
  askedAt: number
  /** run_id of the server that was told, or is being told, that it does. */
  toldTo: string | undefined
  /** When that one was told. Clock milliseconds. */
  toldAt: number
}

/**
 * Which tenants have ever used scripts, here or, as the store tells, through other processes. Transactions of those run as the
 * tenant's own user, since any member may be a script; the others keep a connection on which more is allowed (SORT with BY, PUBSUB).
 */
export class ScriptUsage {
  private readonly host: UsageHost
  /** By name; absent: not known. As many as there are tenants. */
  private readonly known = new Map<string, Usage>()

  constructor(host: UsageHost) {
    this.host = host
  }

  /** The tenant uses a script. Once for each server, the store is told, while the client goes on. */
  note(tenant: Tenant): void {
    const usage = this.knownOf(tenant)
    usage.uses = true
    const { clock } = this.host.env
    const { runId, walls } = this.host.env.node(tenant)
    if (usage.toldTo === runId || walls.refused) return
    if (usage.toldTo === undefined && clock.now - usage.toldAt < TELL_AGAIN) return
    usage.toldTo = runId
    usage.toldAt = clock.now
    this.host.store.mark(walls, tenant.name).catch(() => {
      if (usage.toldTo === runId) usage.toldTo = undefined
    })
  }

  private knownOf({ name }: Tenant): Usage {
    let usage = this.known.get(name)
    if (usage === undefined) {
      usage = { uses: false, askedAt: 0, toldTo: undefined, toldAt: Number.NEGATIVE_INFINITY }
      this.known.set(name, usage)
    }
    return usage
  }

  forget(tenant: string): void {
    this.known.delete(tenant)
  }

  /** undefined: not known yet, or not any more. */
  of(tenant: Tenant): boolean | undefined {
    if (!runsScripts(tenant)) return false
    if (tenant.extensions.has('throttle') || tenant.functions === 'trusted') return true
    const usage = this.known.get(tenant.name)
    if (usage === undefined || usage.uses) return usage?.uses
    return this.host.env.clock.now - usage.askedAt < NO_FOR ? false : undefined
  }

  private async ask(client: DispatchClient, tenant: Tenant, x: Exchange): Promise<boolean> {
    const { clock } = this.host.env
    const before = this.known.get(tenant.name)
    // One asks; the others go by the answer of before.
    if (before !== undefined) before.askedAt = clock.now
    const any = await this.host.store.any(this.host.callerOf(client, x.receivedAt), tenant.name)
    const usage = this.knownOf(tenant)
    usage.askedAt = clock.now
    // Meanwhile somebody may have sent one.
    usage.uses ||= any
    return usage.uses
  }

  private async settle(
    client: DispatchClient,
    tenant: Tenant,
    x: Exchange,
    cancelled: () => boolean,
  ): Promise<boolean> {
    const uses = this.of(tenant) ?? (await this.ask(client, tenant, x))
    // Its user may be there from before a reload that lets it call functions.
    const isSettled = client.node?.walls.on === true && tenant.functions !== 'trusted'
    if (uses && !isSettled) await tenantAtServer(client, tenant, x.receivedAt, cancelled)
    return uses && client.node?.walls.on === true
  }

  /** x opens a transaction: it goes, as whoever it has to be, on a connection of that user. */
  open(client: DispatchClient, x: Exchange): void {
    const { node, session, transaction } = client
    const { tenant } = session
    if (tenant === undefined || transaction === undefined || node === undefined || node.walls.refused) return
    // Behind WATCH it is settled.
    const uses = transaction.watching && x.spec.name === 'multi' ? transaction.walled : this.of(tenant)
    if (uses !== undefined) transaction.walled = uses
    if (uses === false) return
    // Nobody knows of walls before the first connection of this process.
    if (uses === undefined || !node.walls.on || (tenant.functions === 'trusted' && !node.walls.has(tenant))) {
      x.way = 'apart'
      x.errand = this.errand(client, x, tenant)
      transaction.settling = x
      return
    }
    x.as = tenant
  }

  private errand(client: DispatchClient, x: Exchange, tenant: Tenant): Errand {
    let cancelled = false
    return {
      begin: () => {
        this.settle(client, tenant, x, () => cancelled).then(
          (uses) => {
            if (cancelled) return
            if (uses) x.as = tenant
            client.transaction?.settled(x, uses)
            client.prepared(x, 'transaction')
          },
          (error) => {
            client.transaction?.settled(x, false)
            if (!cancelled) client.failApart(x, error instanceof CallFailed ? error.code : 'UPSTREAMDOWN')
          },
        )
      },
      cancel: () => {
        cancelled = true
      },
    }
  }
}
