import { formatAddress } from './address.ts'
import { UpstreamCacheSource } from './cache-source.ts'
import type { Hearer } from './invalidations/hearer.ts'
import { Invalidations } from './invalidations/invalidations.ts'
import { UpstreamLeases } from './lease-store.ts'
import { Node } from './node.ts'
import type { NodeEnv, NodeOwner } from './node-env.ts'
import type { Address, UpstreamOptions } from './options.ts'
import { Replicas } from './replicas.ts'
import type { FactsLog } from './server-facts.ts'
import { buildTopology } from './topologies/index.ts'
import type { Topology, TopologyHost } from './topologies/topology.ts'

/** Milliseconds between two calls of a topology's doubt(). */
const DOUBT_AGAIN = 100

/** One upstream: its primary of the day, whatever finds that, and its replicas. */
export class Upstream implements TopologyHost, NodeOwner {
  readonly options: UpstreamOptions
  readonly primary: Node
  readonly topology: Topology
  readonly replicas: Replicas
  /** Where rate limits of `scope: global` have their tokens. */
  readonly leaseStore: UpstreamLeases
  /** What the primary tells of writes to keys. */
  readonly invalidations: Invalidations
  /** The same, for client tracking. */
  readonly trackingEar: Hearer
  /** What the near cache needs. */
  readonly cacheSource: UpstreamCacheSource
  readonly sendsElsewhere = false
  private readonly env: NodeEnv
  private elders: readonly Upstream[] = []
  private doubtedAt = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions, env: NodeEnv) {
    this.options = options
    this.env = env
    this.primary = new Node(options, options.address, env, this)
    this.topology = buildTopology(options, this)
    this.replicas = new Replicas(this.primary, env, () => this.topology.replicas)
    this.primary.replicas = this.replicas
    this.leaseStore = new UpstreamLeases(this.primary)
    this.invalidations = new Invalidations(this.primary)
    this.cacheSource = new UpstreamCacheSource(this.primary, this.invalidations.hear())
    // Behind the cache: who is told here may ask for the key at once.
    this.trackingEar = this.invalidations.hear()
  }

  start(): void {
    this.primary.start()
    this.topology.start()
  }

  stop(): void {
    this.topology.stop()
    this.replicas.stop()
    this.leaseStore.stop()
    this.invalidations.stop()
    this.primary.stop()
  }

  /** It takes the place of `elder`, before anything is sent here. */
  succeed(elder: Upstream): void {
    this.elders = [elder, ...elder.line.slice(1)]
    this.primary.succeed(elder.primary)
    this.cacheSource.feed.succeed(elder.cacheSource.feed)
  }

  /** This one, and those before it that have not ended what they had: what is done to an upstream is done to all of them. */
  get line(): readonly Upstream[] {
    return [this, ...this.elders.filter(({ primary }) => !primary.ended)]
  }

  /**
   * Its configuration was replaced: see Node.retire. What it still has (transactions, blocked commands) must go on hearing of
   * failovers, so its topology lives as long as that.
   */
  retire(successor: Upstream | undefined): void {
    this.replicas.stop()
    this.leaseStore.stop()
    this.invalidations.stop()
    // Nobody could end it any more.
    if (successor === undefined) this.primary.suspension.end('paused', 'the upstream is not configured any more')
    this.primary.retire(successor?.primary)
  }

  ended(): void {
    this.topology.stop()
  }

  // For the topology.

  get log(): FactsLog {
    return this.env.log
  }

  moveTo(address: Address, why: string): void {
    const before = this.primary.whereabouts.address
    if (before !== undefined && formatAddress(before) === formatAddress(address)) return
    this.replicas.reset()
    this.invalidations.move()
    this.primary.whereabouts.moveTo(address, why)
  }

  suspend(why: string): void {
    this.primary.suspension.begin('failover', why)
  }

  resume(why: string): void {
    this.primary.suspension.end('failover', why)
  }

  fault(error: unknown): void {
    this.env.fault(error)
  }

  // For the primary.

  get mustBe(): 'master' | undefined {
    return this.options.sentinel === undefined ? undefined : 'master'
  }

  doubt(why: string): void {
    const { now } = this.env.clock
    if (now - this.doubtedAt < DOUBT_AGAIN) return
    this.doubtedAt = now
    this.topology.doubt(why)
  }

  another(): void {
    this.invalidations.another()
  }

  /** Why it should not get traffic; undefined: it should. `now`: clock time. */
  unready(now: number): string | undefined {
    const { availability, downSince, located, options } = this.primary
    if (!located) return 'is not found: no majority of its sentinels has named a primary yet'
    if (!availability.everUp) return 'has not been reached yet'
    if (downSince !== undefined && now - downSince > options.hold.time) return 'is unusable'
    if (this.primary.failsFast) return 'fails: its breaker is open'
    return undefined
  }

  /** `nameOf`: of a tenant, by its index. */
  view(nameOf: (tenant: number) => string) {
    const { primary, replicas, topology } = this
    const { availability, facts, probes, refusals, suspension } = primary
    const { address, moves } = primary.whereabouts
    const { now } = this.env.clock
    return {
      name: this.options.name,
      usable: primary.usable,
      address: address === undefined ? undefined : formatAddress(address),
      role: facts.role,
      expiryDenied: facts.expiry.denied,
      walls: primary.walls.view(),
      reconnects: availability.reconnects,
      node: primary.view(),
      breaker: availability.breaker.view(),
      health: probes.health.view(now),
      refused: { time: refusals.time, memory: refusals.memory, breaker: refusals.breaker },
      waits: suspension.level,
      why: suspension.why,
      moves: { count: moves.count, lossy: moves.lossy, unproven: moves.unproven, took: moves.took },
      topology: topology.view(),
      fairness: primary.lanesets.fairness(nameOf),
      replicas: replicas.view(),
      invalidations: this.invalidations.view(),
      cacheFetches: this.cacheSource.view(),
    }
  }
}
