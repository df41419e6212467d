import type { Operations, Target } from '../../../src/admin/operations.ts'
import type { SocketSource } from '../../../src/admin/socket-source.ts'
import type { HealthReport, InvalidationsView, UpstreamView } from '../../../src/admin/upstream-view.ts'
import type { AdminSource, ProcessView, StatsView } from '../../../src/admin/view.ts'
import { FAMILIES, LATENCY_BOUNDS } from '../../../src/client/stats.ts'
import type { CacheRuleView, CacheView } from '../../../src/policies/cache/cache-view.ts'
import type { LimitView } from '../../../src/policies/limits/limit-view.ts'
import type { TtlView } from '../../../src/policies/ttl/ttl-view.ts'

/** Counters of a tenant, all zero but for these. */
export function stats(some: Partial<StatsView> = {}): StatsView {
  return {
    clients: 0,
    requests: new Float64Array(FAMILIES.length),
    bytesIn: 0,
    bytesOut: 0,
    jobs: 0,
    scanExamined: 0,
    scanReturned: 0,
    pushes: 0,
    subscriptions: 0,
    trackers: 0,
    invalidations: 0,
    trackedKeys: 0,
    trackingEvicted: 0,
    errors: new Map(),
    refusals: new Map(),
    latency: new Float64Array(LATENCY_BOUNDS.length + 1),
    latencySum: 0,
    ...some,
  }
}

/** An upstream that is well and has done nothing, but for these. */
export function upstream(some: Partial<UpstreamView> = {}): UpstreamView {
  return {
    name: 'main',
    usable: true,
    address: '127.0.0.1:6379',
    role: 'master',
    expiryDenied: false,
    walls: { mode: 'auto', up: true, users: 1, why: undefined },
    reconnects: 0,
    node: {
      connections: { lane: 1, bulk: 0, pin: 0, connecting: 0 },
      places: { sent: 0, scheduled: 0, abandoned: 0, held: 0 },
      bytes: { sent: 0, held: 0 },
      oldest: 0,
      subscriber: { connections: 0, channels: 0, patterns: 0, shards: 0, reconnects: 0, messages: 0 },
      pins: { idle: 0, blocked: 0, transaction: 0, waiting: 0, oldest: 0 },
    },
    breaker: { state: 'closed', openedTimes: 0, openFor: 0, outcomes: 0, rate: 0 },
    health: { ok: true, reason: '', age: 250, failures: 0, report: report(), concerns: [] },
    refused: { time: 0, memory: 0, breaker: 0 },
    waits: 'nothing',
    why: undefined,
    moves: { count: 0, lossy: 0, unproven: 0, took: 0 },
    topology: { kind: 'standalone', sentinels: [] },
    fairness: undefined,
    replicas: [],
    invalidations: feed({ wanted: false, connected: false, delay: undefined }),
    cacheFetches: { pending: 0, refused: 0 },
    ...some,
  }
}

/** A limit that has done nothing, but for these. */
export function limit(some: Partial<LimitView> = {}): LimitView {
  return {
    tenant: 'acme',
    rule: 'all',
    per: 'tenant',
    scope: 'local',
    action: 'reject',
    unit: 'operations',
    rate: '100/s',
    allowed: 0,
    delayed: 0,
    rejected: 0,
    shadowed: 0,
    waiting: 0,
    tokens: 100,
    buckets: 1,
    mostBuckets: 1,
    overflows: 0,
    grants: 0,
    failing: false,
    offenders: [],
    ...some,
  }
}

/** The feed of an upstream whose tenants cache, that has told nothing, but for these. */
export function feed(some: Partial<InvalidationsView> = {}): InvalidationsView {
  return {
    wanted: true,
    connected: true,
    prefixes: 1,
    invalidations: 0,
    flushes: 0,
    reconnects: 0,
    delay: 1,
    refusal: undefined,
    refusals: 0,
    ...some,
  }
}

/** A near cache with one rule that has done nothing, but for these. */
export function cache(some: Partial<CacheView> = {}): CacheView {
  return {
    tenant: 'acme',
    bytes: 0,
    memory: 1 << 20,
    entries: 0,
    evictions: 0,
    rejected: 0,
    behind: 120,
    rules: [cacheRule()],
    ...some,
  }
}

export function cacheRule(some: Partial<CacheRuleView> = {}): CacheRuleView {
  return {
    keys: 'cache:*',
    hits: 0,
    staleServed: 0,
    misses: 0,
    crowded: 0,
    coalesced: 0,
    stored: 0,
    skipped: 0,
    invalidations: 0,
    expired: 0,
    ...some,
  }
}

/** A rule on times to live that has done nothing, but for these. */
export function ttlRule(some: Partial<TtlView> = {}): TtlView {
  return {
    tenant: 'acme',
    keys: 'job:*',
    dryRun: false,
    defaulted: 0,
    clampedMax: 0,
    clampedMin: 0,
    persistDenied: 0,
    persistClamped: 0,
    failed: 0,
    ...some,
  }
}

/** What a probe found that was told everything. */
export function report(some: Partial<HealthReport> = {}): HealthReport {
  return {
    at: 123_456,
    ping: 2,
    version: '7.0.15',
    uptime: 3600,
    replication: { role: 'master', offset: 5000, connected: 2 },
    memory: { used: 1000, peak: 2000, resident: 3000, limit: 4000 },
    clients: { connected: 5, blocked: 1, limit: 10_000 },
    persistence: { rdbOk: true, rdbUnsaved: 17, aofOk: false },
    ...some,
  }
}

/** A process that does nothing, as the admin server sees it; its fields may be replaced between requests. */
export class FakeSource implements AdminSource {
  readiness = { ready: true, reason: 'ready' }
  labels = 100
  scrapes = 0
  process: ProcessView = {
    generation: 1,
    draining: false,
    connections: 0,
    tenants: [],
    upstreams: [],
    barrier: 0,
    running: 0,
    delayed: 0,
    limits: [],
    leases: { calls: 0, failures: 0 },
    caches: [],
    scripts: { texts: 0, bytes: 0, prepared: 0, notRun: 0 },
    ttl: [],
    gates: { closed: 0, overruns: 0 },
    memory: { clients: 0, limit: 1024, cuts: 0 },
  }

  ready() {
    return this.readiness
  }

  view(): ProcessView {
    this.scrapes++
    return this.process
  }

  tenantLabels(): number {
    return this.labels
  }
}

/** Operations that only say what they were asked for. */
export class FakeOperations implements Operations {
  readonly asked: unknown[][] = []
  pausedTenants: readonly string[] = []
  /** What the next ones wait for. */
  gate: Promise<unknown> = Promise.resolve()
  /** What the next ones reject with. */
  failure: Error | undefined

  pause(target: Target, patience: number): Promise<string> {
    return this.done('pause', target, patience)
  }

  resume(target: Target): Promise<string> {
    return this.done('resume', target)
  }

  reconnect(upstream: string | undefined): Promise<string> {
    return this.done('reconnect', upstream)
  }

  failover(upstream: string | undefined, patience: number): Promise<string> {
    return this.done('failover', upstream, patience)
  }

  private async done(...asked: unknown[]): Promise<string> {
    this.asked.push(asked)
    await this.gate
    if (this.failure !== undefined) throw this.failure
    return `done: ${asked[0]}`
  }
}

/** Two tenants and two upstreams, one of each named `both`. */
export class FakeSocketSource extends FakeSource implements SocketSource {
  readonly operations = new FakeOperations()
  text = 'keyward is well\nso far\n'
  tenantNames: readonly string[] = ['acme', 'both']

  status(): string {
    return this.text
  }

  limits(tenant: string | undefined): string {
    return `limits of ${tenant ?? 'all'}\n`
  }

  tenants(): readonly string[] {
    return this.tenantNames
  }

  upstreams(): readonly string[] {
    return ['main', 'both']
  }
}
