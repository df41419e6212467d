import type { Socket } from 'node:net'
import type { NearCaches } from './client/cache-stats.ts'
import { ClientConnection } from './client/connection.ts'
import { Delays } from './client/delays.ts'
import type { DispatchClient } from './client/dispatch-client.ts'
import { Dispatcher } from './client/dispatcher.ts'
import { SocketEndpoint } from './client/endpoint.ts'
import type { ClientEnv } from './client/env.ts'
import { Gates } from './client/gates.ts'
import type { Bound } from './client/listener.ts'
import { Memory } from './client/memory.ts'
import { Notices } from './client/notices.ts'
import { familyOf, Stats } from './client/stats.ts'
import { TenantServer, type TenantServerHost } from './client/tenant-server.ts'
import { type TrackingEnv, Trackings } from './client/tracking/trackings.ts'
import type { CommandTable } from './commands/lookup.ts'
import type { Offers } from './commands/offers.ts'
import { isReviewed } from './commands/open-to.ts'
import type { ServerView } from './commands/spec.ts'
import { buildTable } from './commands/table.ts'
import type { Config } from './config/config.ts'
import { diffNamespaces } from './config/namespaces.ts'
import { type Door, Doors } from './doors.ts'
import { ForeignKey } from './keyspace/rewrite-reply.ts'
import { Clock } from './lib/clock.ts'
import { PerSecond } from './lib/per-second.ts'
import { Turn } from './lib/turn.ts'
import { Operator } from './operator.ts'
import { Chains } from './policies/chains.ts'
import { buildPolicies, type Policies } from './policies/index.ts'
import type { ClientPolicy } from './policies/policy.ts'
import { ReplyWriter } from './resp/reply-writer.ts'
import { Session } from './session/session.ts'
import type { Tenant } from './session/tenant.ts'
import { Caller } from './upstream/caller.ts'
import type { Hearer } from './upstream/invalidations/hearer.ts'
import type { Node } from './upstream/node.ts'
import type { Upstream } from './upstream/upstream.ts'
import { UpstreamSet } from './upstream-set.ts'

export interface ProxyLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

/** Builds every part from a Config and wires them; starts, reloads, drains and stops. Knows nothing of cli and admin. */
export class Proxy implements ClientEnv, TenantServerHost, TrackingEnv {
  readonly turn = new Turn()
  readonly clock = new Clock()
  readonly table: CommandTable = buildTable()
  readonly families = Uint8Array.from(this.table.all().map(familyOf))
  readonly writer = new ReplyWriter()
  readonly limits = { bulk: 512 * 1024 * 1024, buffer: 1024 * 1024 * 1024 }
  readonly notices: Notices
  readonly gates = new Gates()
  readonly delays = new Delays(this.clock)
  readonly slowEntries = new PerSecond(SLOW_ENTRIES)
  /** Every client, with the listener that it came through. */
  readonly clients = new Map<ClientConnection, Door>()
  readonly memory: Memory
  readonly tracking: Trackings
  draining = false
  config: Config
  /** Raised by every reload. */
  generation = 1
  /** Bugs met since the start. */
  faults = 0
  readonly log: ProxyLog
  readonly server: ServerView = new TenantServer(this)
  readonly dispatcher: Dispatcher
  private readonly policies: Policies
  private readonly chains: Chains
  readonly operations = new Operator(this)
  private readonly upstreamSet: UpstreamSet
  private readonly doors = new Doors((socket, door) => this.accept(socket, door))
  private readonly statsOf = new Map<string, Stats>()
  private readonly indices = new Map<string, number>()
  private nextId = 1
  private stopped = false

  constructor(config: Config, env: { log: ProxyLog }) {
    this.config = config
    this.log = env.log
    this.memory = new Memory(config.memory)
    this.tracking = new Trackings(config.tracking, this)
    this.notices = new Notices(env.log)
    this.dispatcher = new Dispatcher(this)
    const policyEnv = {
      table: this.table,
      clock: this.clock,
      fault: this.fault,
      leaseStore: (upstream: string) => this.upstreams.get(upstream)?.leaseStore,
      cacheSource: (upstream: string) => this.upstreams.get(upstream)?.cacheSource,
      indexOf: (tenant: Tenant) => this.indexOf(tenant),
    }
    this.policies = buildPolicies(policyEnv)
    const nodeEnv = {
      turn: this.turn,
      clock: this.clock,
      log: this.log,
      fault: this.fault,
      reviewed: (name: string, offers: Offers | undefined) => isReviewed(this.table, name, offers),
    }
    this.upstreamSet = new UpstreamSet(nodeEnv, this.policies.cache)
    this.chains = new Chains(this.policies.order, policyEnv)
    this.chains.renew(config.tenants.values())
    this.keepSlowLogs()
    for (const options of config.upstreams.values()) this.upstreamSet.add(options)
  }

  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.upstreamSet.byName
  }

  get scriptLimits() {
    return this.config.scripts
  }

  callerOf(tenant: Tenant, tenantIndex: number, receivedAt?: number): Caller {
    return new Caller(() => this.node(tenant), tenantIndex, receivedAt)
  }

  get caches(): NearCaches {
    return this.policies.cache
  }

  private keepSlowLogs(): void {
    for (const tenant of this.config.tenants.values()) {
      const { slowerThan, entries } = tenant.slowlog
      const stats = this.stats(tenant)
      stats.slowerThan = entries === 0 ? Number.POSITIVE_INFINITY : slowerThan
      stats.slowlog.limit(entries)
    }
  }

  /** Listens, and begins to connect upstream without waiting for it. Rejects when an address cannot be had. */
  async start(): Promise<void> {
    await this.doors.open(this.config.listeners, this.config.tenants.values())
    this.upstreamSet.start()
    this.upstreamSet.serve(this.config.tenants.values())
  }

  get bound(): readonly Bound[] {
    return this.doors.bound
  }

  private accept(socket: Socket, door: Door): void {
    const { address } = door.listener.options
    const endpoint = new SocketEndpoint(socket, 'path' in address ? address.path : undefined)
    const session = new Session(this.nextId++, Date.now(), endpoint, door.authenticator)
    const client = new ClientConnection(socket, session, this.dispatcher)
    this.clients.set(client, door)
    if (this.draining) client.closeWhenAnswered()
    else if (session.tenant !== undefined) client.welcome()
  }

  // ClientEnv.

  node(tenant: Tenant): Node {
    // A job may outlive the upstream of its tenant.
    return this.upstreams.get(tenant.upstream)?.primary as Node
  }

  indexOf(tenant: Tenant): number {
    let index = this.indices.get(tenant.name)
    if (index === undefined) {
      index = this.indices.size
      this.indices.set(tenant.name, index)
    }
    return index
  }

  stats(tenant: Tenant | undefined): Stats {
    return this.statsNamed(tenant?.name ?? '')
  }

  private statsNamed(name: string): Stats {
    let stats = this.statsOf.get(name)
    if (stats === undefined) this.statsOf.set(name, (stats = new Stats()))
    return stats
  }

  trackingEar(tenant: Tenant): Hearer | undefined {
    return this.upstreams.get(tenant.upstream)?.trackingEar
  }

  chain(session: Session): ClientPolicy | undefined {
    return this.chains.enter(session)
  }

  findClient(tenant: Tenant, id: number): DispatchClient | undefined {
    for (const client of this.clients.keys()) {
      if (client.session.id === id) return client.session.tenant?.name === tenant.name ? client : undefined
    }
    return undefined
  }

  enter(_client: DispatchClient, tenant: Tenant): boolean {
    return tenant.maxClients === undefined || this.stats(tenant).clients <= tenant.maxClients
  }

  underWay(tenantIndex: number, but: DispatchClient | undefined): boolean {
    for (const client of this.clients.keys()) {
      if (client.tenantIndex !== tenantIndex || client === but || client.pending === 0) continue
      if (!client.router.blocked && !client.router.running) return true
    }
    return false
  }

  left(client: DispatchClient): void {
    this.clients.delete(client as ClientConnection)
  }

  readonly fault = (error: unknown): void => {
    if (error instanceof ForeignKey) {
      this.log.error(
        {},
        'a reply of the upstream named a key outside the prefix of its tenant; the client got an error',
      )
      return
    }
    this.faults++
    this.log.error({ err: error }, 'a bug in Keyward: please report it; the connection concerned was closed')
  }

  /** Numbers for metrics and probes; made anew at every call. */
  view() {
    let barrier = 0
    let running = 0
    for (const client of this.clients.keys()) {
      barrier += client.router.waiting
      if (client.router.running) running++
    }
    const tenants = [...this.indices.keys()]
    return {
      generation: this.generation,
      draining: this.draining,
      connections: this.clients.size,
      tenants: ['', ...this.config.tenants.keys()].map((name) => ({ name, stats: this.statsNamed(name) })),
      upstreams: [...this.upstreams.values()].map((upstream) => upstream.view((tenant) => tenants[tenant] ?? '')),
      barrier: barrier - this.delays.count,
      running,
      delayed: this.delays.count,
      limits: this.policies.limits.view(),
      leases: this.policies.limits.leases.view(),
      caches: this.policies.cache.view(),
      ttl: this.policies.ttl.view(),
      scripts: this.dispatcher.scripting.view(),
      gates: { closed: this.gates.count, overruns: this.gates.overruns },
      memory: { clients: this.memory.total, limit: this.memory.limit, cuts: this.memory.cuts },
    }
  }

  // Life cycle.

  /** Why this process should or should not get traffic. */
  ready(): { ready: boolean; reason: string } {
    if (this.draining) return { ready: false, reason: 'draining' }
    const reason = this.upstreamSet.unready(this.clock.now)
    if (reason !== undefined) return { ready: false, reason }
    return { ready: true, reason: 'ready' }
  }

  /**
   * Puts another configuration in the place of this one, whole. Throws, and changes nothing, when it would move keys
   * out of sight or needs a restart.
   */
  async reload(config: Config): Promise<void> {
    const moved = diffNamespaces(this.config, config)
    if (moved.length > 0) throw new Error(moved.join('; '))
    const listeners = (one: Config) =>
      JSON.stringify(one.listeners.map(({ address, tls }) => [address, tls !== undefined]))
    if (listeners(config) !== listeners(this.config)) {
      throw new Error('listeners changed: addresses, and whether they speak TLS, are settled at start; restart Keyward')
    }
    const before = this.config
    this.config = config
    this.generation++
    this.memory.limit = config.memory
    this.tracking.renew(config.tracking)
    this.keepSlowLogs()
    const replaced = this.upstreamSet.replace(before, config)
    for (const { name, upstream } of before.tenants.values()) {
      if (config.tenants.has(name)) continue
      this.dispatcher.scripting.scripts.forget(name)
      this.dispatcher.scripting.usage.forget(name)
      this.dispatcher.scripting.reader.newTexts.forget(name)
      this.upstreams.get(upstream)?.primary.walls.remove(name)
    }
    this.chains.renew(config.tenants.values())
    this.upstreamSet.serve(config.tenants.values())
    this.doors.renew(config.listeners, config.tenants.values())
    for (const [client, door] of [...this.clients]) client.reconfigure(config.tenants, door.authenticator)
    // Last: what the old nodes give up goes where the clients belong now.
    this.upstreamSet.retire(replaced)
    this.log.info({ generation: this.generation }, 'configuration replaced')
  }

  /**
   * Stops accepting, closes each client as soon as nothing of it is under way, blocked ones at half of
   * `shutdown.deadline`, the rest at the deadline. Resolves when all are closed.
   */
  async drain(): Promise<void> {
    if (this.draining) return
    this.draining = true
    this.doors.close()
    const begun = performance.now()
    const { deadline } = this.config.shutdown
    while (this.clients.size > 0 || this.dispatcher.outliving > 0) {
      const elapsed = performance.now() - begun
      for (const client of [...this.clients.keys()]) client.drain(elapsed >= deadline / 2)
      if (elapsed >= deadline) {
        for (const client of [...this.clients.keys()]) client.cut()
        break
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(DRAIN_STEP, deadline / 4)))
    }
    this.stop()
  }

  /** Closes everything now. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.draining = true
    this.doors.close()
    for (const client of [...this.clients.keys()]) client.cut()
    this.tracking.stop()
    this.policies.limits.stop()
    this.policies.cache.stop()
    this.upstreamSet.stop()
  }
}

/** Of all tenants together, in a second; each costs some ten microseconds. */
const SLOW_ENTRIES = 2000

/** Milliseconds between two looks at who is idle. */
const DRAIN_STEP = 50
