import type { CommandTable } from '../commands/lookup.ts'
import { isOpenTo } from '../commands/open-to.ts'
import type { CommandSpec, KeyCount, ServerView } from '../commands/spec.ts'
import type { UpstreamFacts } from '../commands/upstream-facts.ts'
import type { CacheStats, ClientView, SlowLogView } from '../commands/views.ts'
import type { Clock } from '../lib/clock.ts'
import { VERSION } from '../lib/version.ts'
import type { TopicCounts } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Node } from '../upstream/node.ts'
import type { TopicKind } from '../upstream/topic.ts'
import { cacheStats, type NearCaches } from './cache-stats.ts'
import { ViewOfClient } from './client-view.ts'
import type { ClientConnection } from './connection.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Gates } from './gates.ts'
import { Pauses } from './pauses.ts'
import type { Stats } from './stats.ts'

/** Where a TenantServer looks; proxy.ts fills it. */
export interface TenantServerHost {
  readonly table: CommandTable
  readonly clock: Clock
  readonly gates: Gates
  /** Every client of the process. */
  readonly clients: ReadonlyMap<ClientConnection, unknown>
  readonly dispatcher: Dispatcher
  readonly caches: NearCaches
  node(tenant: Tenant): Node
  indexOf(tenant: Tenant): number
  stats(tenant: Tenant | undefined): Stats
}

/** The process as each tenant may see it: what local answers (INFO, CLIENT LIST, COMMAND …) ask. */
export class TenantServer implements ServerView {
  readonly version = VERSION
  readonly startedAt = Date.now()
  private readonly host: TenantServerHost
  private readonly pauses: Pauses
  /** By what makes a difference between tenants, for each set of upstream commands; made when one of them asks. */
  private readonly open = new WeakMap<object, Map<string, readonly CommandSpec[]>>()

  constructor(host: TenantServerHost) {
    this.host = host
    this.pauses = new Pauses(host.gates, host.clock)
  }

  now(): number {
    return Date.now()
  }

  upstream(tenant: Tenant): UpstreamFacts {
    const node = this.host.node(tenant)
    return {
      redisVersion: node.facts.version ?? '7.0.0',
      resp3: node.resp3,
      usable: node.downSince === undefined,
      lastSave: Number(node.facts.info.get('rdb_last_save_time') ?? Math.floor(this.startedAt / 1000)),
      info: node.facts.info,
      offers: node.facts.offers,
    }
  }

  keyCounts(tenant: Tenant): readonly KeyCount[] {
    const { counts } = this.host.dispatcher
    const nodeOf = () => this.host.node(tenant)
    counts.refresh({ tenant, tenantIndex: this.host.indexOf(tenant), nodeOf, stats: this.host.stats(tenant) })
    const now = performance.now()
    return [...counts.known(tenant)].map(({ db, keys, at }) => ({ db, keys, age: Math.floor((now - at) / 1000) }))
  }

  *clientsOf(tenant: Tenant): Iterable<ClientView> {
    for (const client of this.host.clients.keys()) {
      if (client.session.tenant?.name === tenant.name && !client.killed) yield new ViewOfClient(client)
    }
  }

  topics(tenant: Tenant): TopicCounts {
    const topics = this.host.dispatcher.pubsub.pubsub.find(this.host.node(tenant), tenant)
    const count = (kind: TopicKind) => topics?.count(kind) ?? 0
    return { channels: count('channel'), patterns: count('pattern'), shards: count('shard') }
  }

  events(tenant: Tenant): string {
    return this.host.dispatcher.pubsub.pubsub.settings.show(tenant.name, this.host.node(tenant))
  }

  setEvents(tenant: Tenant, events: string): boolean {
    return this.host.dispatcher.pubsub.pubsub.settings.set(tenant.name, events, this.host.node(tenant))
  }

  slowlog(tenant: Tenant): SlowLogView {
    return this.host.stats(tenant).slowlog
  }

  pause(tenant: Tenant, time: number, writesOnly: boolean): void {
    this.pauses.pause(this.host.indexOf(tenant), time, writesOnly)
  }

  unpause(tenant: Tenant): void {
    this.pauses.unpause(this.host.indexOf(tenant))
  }

  cacheStats({ name }: Tenant): CacheStats {
    return cacheStats(this.host.caches.viewOf(name))
  }

  flushCache({ name }: Tenant, pattern: Buffer | undefined): number {
    return this.host.caches.flush(name, pattern)
  }

  requests(tenant: Tenant): number {
    return this.host.stats(tenant).total
  }

  commands(tenant: Tenant): readonly CommandSpec[] {
    const { cache, extensions, prefix } = tenant
    const kind = [prefix === '' ? 'pass' : '', cache === undefined ? '' : 'cached', ...[...extensions].sort()].join()
    const { offers } = this.host.node(tenant).facts
    const lists = this.open.get(offers ?? this) ?? new Map<string, readonly CommandSpec[]>()
    this.open.set(offers ?? this, lists)
    let specs = lists.get(kind)
    if (specs === undefined) {
      specs = this.host.table.all().filter((spec) => isOpenTo(spec, tenant, offers))
      lists.set(kind, specs)
    }
    return specs
  }

  command(name: string): CommandSpec | undefined {
    return this.host.table.byName(name)
  }
}
