import type { Clock } from '../../lib/clock.ts'
import type { Turn } from '../../lib/turn.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Hearer } from '../../upstream/invalidations/hearer.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { Stats } from '../stats.ts'
import type { Read } from './reader.ts'
import { TrackingBudget } from './tracked-keys.ts'
import { TrackedTenant } from './tracked-tenant.ts'
import { TrackedUpstream, type TrackingHost } from './tracked-upstream.ts'
import { Tracker } from './tracker.ts'

/** Milliseconds between two looks at how old the feeds are. */
const TICK = 250

/** How the process tracks. */
export interface TrackingOptions {
  /** Most pairs of a key and a client that has read it. */
  readonly maxKeys: number
  /** Milliseconds. */
  readonly maxStaleness: number
}

/** What client tracking asks of the process. */
export interface TrackingEnv {
  readonly turn: Turn
  readonly clock: Clock
  /** What the tenant's upstream tells of writes, for client tracking; undefined: there is no such upstream any more. */
  trackingEar(tenant: Tenant): Hearer | undefined
  stats(tenant: Tenant | undefined): Stats
  findClient(tenant: Tenant, id: number): DispatchClient | undefined
}

/** Client tracking of all tenants in this process: who tracks, at which upstream. */
export class Trackings implements TrackingHost {
  readonly budget: TrackingBudget
  maxStaleness: number
  private readonly env: TrackingEnv
  private readonly upstreams = new Map<Hearer, TrackedUpstream>()
  /** By upstream and prefix, which is one tenant's there. */
  private readonly tenants = new Map<TrackedUpstream, Map<string, TrackedTenant>>()
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(options: TrackingOptions, env: TrackingEnv) {
    this.env = env
    this.budget = new TrackingBudget(options.maxKeys)
    this.maxStaleness = options.maxStaleness
  }

  get turn(): Turn {
    return this.env.turn
  }

  get clock(): Clock {
    return this.env.clock
  }

  renew({ maxKeys, maxStaleness }: TrackingOptions): void {
    this.budget.limit = maxKeys
    this.maxStaleness = maxStaleness
  }

  /** What a client's session says of tracking has changed, or its tenant, or where that is. */
  follow(client: DispatchClient): void {
    const { tenant, tracking } = client.session
    if (tracking === undefined && tenant !== undefined && !client.gone && this.pause(client, tenant)) return
    const ear = tracking === undefined || tenant === undefined ? undefined : this.env.trackingEar(tenant)
    if (tracking === undefined || tenant === undefined || ear === undefined || client.gone) {
      this.leave(client)
      return
    }
    const place = this.place(tenant, ear)
    const missed = this.resume(client, place) === 'missed'
    let underWay: readonly Read[] = []
    if (client.tracker !== undefined && client.tracker.place !== place) {
      // What it keeps is another tenant's, or another server's.
      client.tracker.tellEverything()
      // Of names of another tenant's nobody here may be told.
      if (client.tracker.place.tenant === tenant.name) underWay = client.tracker.takeReads()
      this.leave(client)
    }
    if (client.tracker === undefined) {
      client.tracker = new Tracker(client, place, tracking)
      place.readers.add(client.tracker)
      place.stats.trackers++
      client.tracker.adopt(underWay)
    }
    const { redirect } = tracking
    client.tracker.renew(tracking, redirect === 0 ? undefined : this.env.findClient(tenant, redirect))
    if (missed) client.tracker.tellEverything()
  }

  /**
   * It has turned tracking off: it is told nothing, and what it has read stays known until it turns it on again, as in Redis. False: it did
   * not track anything of this tenant's.
   */
  private pause(client: DispatchClient, tenant: Tenant): boolean {
    const { pausedTracker, tracker } = client
    if ((tracker ?? pausedTracker)?.place.tenant !== tenant.name) return false
    if (tracker === undefined) return true
    tracker.pause()
    tracker.place.stats.trackers--
    client.tracker = undefined
    client.pausedTracker = tracker
    return true
  }

  /** It has turned tracking on: what it had read before counts again. `missed`: of that, writes were not heard of. */
  private resume(client: DispatchClient, place: TrackedTenant): 'missed' | 'nothing missed' {
    const { pausedTracker } = client
    if (pausedTracker === undefined) return 'nothing missed'
    client.pausedTracker = undefined
    if (pausedTracker.place !== place) {
      this.end(pausedTracker)
      return 'missed'
    }
    client.tracker = pausedTracker
    place.stats.trackers++
    return pausedTracker.complete ? 'nothing missed' : 'missed'
  }

  /** It does not track any more. */
  leave(client: DispatchClient): void {
    const { pausedTracker, tracker } = client
    client.tracker = undefined
    client.pausedTracker = undefined
    if (pausedTracker !== undefined) this.end(pausedTracker)
    if (tracker === undefined) return
    tracker.place.stats.trackers--
    this.end(tracker)
  }

  private end(tracker: Tracker): void {
    const { place } = tracker
    tracker.end()
    place.busy.delete(tracker)
    place.readers.delete(tracker)
    if (place.readers.size === 0) this.drop(place)
  }

  private place(tenant: Tenant, ear: Hearer): TrackedTenant {
    let upstream = this.upstreams.get(ear)
    if (upstream === undefined) {
      upstream = new TrackedUpstream(ear, this)
      this.upstreams.set(ear, upstream)
      this.tenants.set(upstream, new Map())
      this.timer ??= setInterval(() => this.tick(), TICK).unref()
    }
    const places = this.tenants.get(upstream) as Map<string, TrackedTenant>
    let place = places.get(tenant.prefix)
    if (place === undefined) {
      place = new TrackedTenant(tenant, this.env.stats(tenant), upstream)
      places.set(tenant.prefix, place)
      upstream.add(place)
    }
    return place
  }

  private drop(place: TrackedTenant): void {
    for (const [upstream, places] of this.tenants) {
      const prefix = place.prefix.toString('latin1')
      if (places.get(prefix) !== place) continue
      places.delete(prefix)
      upstream.remove(place)
      place.close()
    }
  }

  private tick(): void {
    const now = this.env.clock.tick()
    for (const [ear, upstream] of this.upstreams) {
      upstream.tick(now)
      if (!upstream.idle) continue
      upstream.close()
      this.upstreams.delete(ear)
      this.tenants.delete(upstream)
    }
    if (this.upstreams.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  stop(): void {
    clearInterval(this.timer)
  }
}
