import type { Clock } from '../../lib/clock.ts'
import type { Turn } from '../../lib/turn.ts'
import type { Hearer } from '../../upstream/invalidations/hearer.ts'
import type { TrackingBudget } from './tracked-keys.ts'
import type { TrackedGround, TrackedTenant } from './tracked-tenant.ts'

/** Milliseconds for which the server goes on telling of keys that nobody tracks any more: the next one who does may come soon. */
const LINGER = 60_000

/** What all upstreams share. */
export interface TrackingHost {
  readonly turn: Turn
  readonly clock: Clock
  readonly budget: TrackingBudget
  /** Milliseconds for which it may be unknown what was written, before clients are told to keep nothing. */
  readonly maxStaleness: number
}

/**
 * The tenants of one upstream that track, and what its feed says. While that is lost, has stalled for longer than `maxStaleness`, or does
 * not tell of a tenant's keys yet, clients are told not to keep what they read, with each read; and when that begins, to
 * keep nothing of before.
 */
export class TrackedUpstream implements TrackedGround {
  epoch = 0
  private readonly host: TrackingHost
  private readonly ear: Hearer
  /** By the bytes of their prefixes, none of which begins another. */
  private readonly tenants: TrackedTenant[] = []
  /** Nobody has been told anything that is not taken back. */
  private takenBack = true
  /** Clock milliseconds: since when keys are told of that nobody tracks; undefined: there are none. */
  private shrunkAt: number | undefined = undefined

  constructor(ear: Hearer, host: TrackingHost) {
    this.ear = ear
    this.host = host
    ear.onInvalidated = (rawKey) => {
      if (this.tenants.length > 0) this.find(rawKey)?.invalidated(rawKey)
    }
    ear.onEverything = () => this.everything()
    ear.onLost = () => this.missed()
  }

  get turn(): Turn {
    return this.host.turn
  }

  get budget(): TrackingBudget {
    return this.host.budget
  }

  /** Nobody tracks, and the feed is not asked for anything. */
  get idle(): boolean {
    return this.tenants.length === 0 && this.shrunkAt === undefined
  }

  add(tenant: TrackedTenant): void {
    this.tenants.splice(this.after(tenant.prefix), 0, tenant)
    // Looked at first: with many tenants the feed tells of all keys, and one more changes nothing.
    const { prefix } = tenant
    if (this.ear.wanted?.has(prefix, 0, prefix.length) !== true) this.want()
  }

  remove(tenant: TrackedTenant): void {
    this.tenants.splice(this.tenants.indexOf(tenant), 1)
    this.shrunkAt = this.host.clock.now
  }

  private want(): void {
    this.ear.track(this.tenants.map(({ prefix }) => prefix.toString('latin1')))
  }

  hears(prefix: Buffer): boolean {
    const { ear, host } = this
    if (!ear.covers(prefix, 0, prefix.length) || host.clock.now - ear.heardAt > host.maxStaleness) return false
    this.takenBack = false
    return true
  }

  /** Of many tenants, the one whose key this is. */
  private find(rawKey: Buffer): TrackedTenant | undefined {
    const tenant = this.tenants[this.after(rawKey) - 1]
    if (tenant === undefined) return undefined
    const { prefix } = tenant
    const { length } = prefix
    return rawKey.length >= length && rawKey.compare(prefix, 0, length, 0, length) === 0 ? tenant : undefined
  }

  /** Where the first prefix stands that comes behind these bytes. */
  private after(bytes: Buffer): number {
    let from = 0
    let to = this.tenants.length
    while (from < to) {
      const middle = (from + to) >> 1
      if (bytes.compare(this.tenants[middle].prefix) < 0) to = middle
      else from = middle + 1
    }
    return from
  }

  private everything(): void {
    this.epoch++
    for (const tenant of [...this.tenants]) tenant.everything()
  }

  /** Writes may have been missed, from now on or before. */
  private missed(): void {
    if (this.takenBack) return
    this.takenBack = true
    this.everything()
    for (const tenant of this.tenants) tenant.listen(false)
  }

  /** Called a few times a second. */
  tick(now: number): void {
    for (const tenant of this.tenants) if (tenant.busy.size > 0) tenant.tick()
    if (now - this.ear.heardAt > this.host.maxStaleness) this.missed()
    for (const tenant of this.tenants) if (!tenant.broadcasts.empty) tenant.listen(this.hears(tenant.prefix))
    if (this.shrunkAt === undefined || now - this.shrunkAt < LINGER) return
    this.shrunkAt = undefined
    this.want()
  }

  /** The upstream is not used any more. */
  close(): void {
    this.ear.track([])
  }
}
