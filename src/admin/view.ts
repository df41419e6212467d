import type { CacheView } from '../policies/cache/cache-view.ts'
import type { LimitView } from '../policies/limits/limit-view.ts'
import type { TtlView } from '../policies/ttl/ttl-view.ts'
import type { UpstreamView } from './upstream-view.ts'

/** What /metrics and the probes read. The process fills it with plain numbers at every scrape; nothing is kept. */
export interface ProcessView {
  /** Number of the configuration in use: 1 at start, one more with every reload. */
  readonly generation: number
  readonly draining: boolean
  /** Client connections, logged in or not. */
  readonly connections: number
  /** In the order of the configuration; one named '' for clients that are not logged in. */
  readonly tenants: readonly TenantView[]
  readonly upstreams: readonly UpstreamView[]
  /** Requests that wait behind earlier ones of their client which went another way. */
  readonly barrier: number
  /** Requests that are done by calls of Keyward's own: jobs, subscriptions. */
  readonly running: number
  /** Requests that a rate limit has made wait. */
  readonly delayed: number
  /** In the order of the configuration. */
  readonly limits: readonly LimitView[]
  readonly leases: LeasesView
  /** Of tenants that have one, in the order of the configuration. */
  readonly caches: readonly CacheView[]
  /** In the order of the configuration. */
  readonly ttl: readonly TtlView[]
  readonly scripts: ScriptsView
  readonly gates: { readonly closed: number; readonly overruns: number }
  readonly memory: MemoryView
}

/** Counters of one tenant since the start. */
export interface TenantView {
  readonly name: string
  readonly stats: StatsView
}

export interface StatsView {
  /** Logged-in clients now. */
  readonly clients: number
  /** By family, as FAMILIES in client/stats.ts. */
  readonly requests: ArrayLike<number>
  readonly bytesIn: number
  readonly bytesOut: number
  /** Requests that were done by many upstream calls. */
  readonly jobs: number
  /** Keys that Redis looked at for SCAN and what is made of it, and those of this tenant among them. */
  readonly scanExamined: number
  readonly scanReturned: number
  /** Messages that answered no request. */
  readonly pushes: number
  /** Clients times names that they are subscribed to, now. */
  readonly subscriptions: number
  /** Clients that track now, what they were told, and pairs of a key and a client that has read it: now, and those that made room. */
  readonly trackers: number
  readonly invalidations: number
  readonly trackedKeys: number
  readonly trackingEvicted: number
  /** By error code. */
  readonly errors: ReadonlyMap<string, number>
  /** By reason. */
  readonly refusals: ReadonlyMap<string, number>
  /** Not cumulative, as LATENCY_BOUNDS in client/stats.ts and one more for what is slower. */
  readonly latency: ArrayLike<number>
  /** Milliseconds. */
  readonly latencySum: number
}

/** Lua scripts of all tenants. */
export interface ScriptsView {
  /** At hand, and the bytes that they take. */
  readonly texts: number
  readonly bytes: number
  /** Had to wait for something before they could be sent. */
  readonly prepared: number
  /** Sent, and not run at first. */
  readonly notRun: number
}

/** How tokens of `scope: global` limits are fetched. */
export interface LeasesView {
  /** Calls of all upstreams together, those that failed included. */
  readonly calls: number
  readonly failures: number
}

export interface MemoryView {
  /** Bytes that clients hold: requests not answered, replies not read. */
  readonly clients: number
  /** `memory` of the configuration. */
  readonly limit: number
  /** Clients cut because the process was over its limit. */
  readonly cuts: number
}

/** The process, as the admin server asks it. */
export interface AdminSource {
  ready(): { readonly ready: boolean; readonly reason: string }
  view(): ProcessView
  /** How many tenants have labels of their own now. */
  tenantLabels(): number
}
