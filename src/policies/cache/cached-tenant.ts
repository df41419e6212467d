import { isDeepStrictEqual } from 'node:util'
import type { Session } from '../../session/session.ts'
import type { CacheOptions, Tenant } from '../../session/tenant.ts'
import type { TenantPolicy } from '../policy.ts'
import { ClientCache, type ClientCacheParts } from './client-cache.ts'
import { Fills } from './fills.ts'
import { Flights } from './flights.ts'
import type { CacheSource } from './source.ts'
import { type CacheHost, TenantCache } from './tenant-cache.ts'
import type { Touches } from './touches.ts'
import { Writers } from './writers.ts'

/** What is beside the caches of all tenants. */
export interface CachedTenants extends CacheHost {
  readonly touches: Touches
  sourceOf(upstream: string): CacheSource | undefined
  /** The tenant has no cache any more. */
  ended(tenant: CachedTenant): void
}

/** The near cache of one tenant, with those who fill it, ask it and outdate it. */
export class CachedTenant implements TenantPolicy, ClientCacheParts {
  readonly tenant: Tenant
  readonly options: CacheOptions
  readonly cache: TenantCache
  readonly flights: Flights
  readonly fills: Fills
  readonly writers: Writers
  readonly touches: Touches
  /** Made by the configuration of the day: writes that were let pass before it are unknown to it. */
  isNew = true
  private readonly host: CachedTenants

  /** `index`: for CacheSource.fetch. */
  constructor(tenant: Tenant, options: CacheOptions, index: number, host: CachedTenants) {
    this.tenant = tenant
    this.options = options
    this.host = host
    this.cache = new TenantCache(tenant, options, index, host)
    this.flights = new Flights(this.cache)
    this.fills = new Fills(this.cache)
    this.writers = new Writers(this.cache)
    this.touches = host.touches
  }

  /** Nothing that matters here is different. */
  isFor({ upstream, prefix, databases, cache }: Tenant): boolean {
    const { tenant, options } = this
    const same = tenant.upstream === upstream && tenant.prefix === prefix && tenant.databases === databases
    return same && isDeepStrictEqual(options, cache)
  }

  enter(session: Session): ClientCache {
    this.cache.follow(this.host.sourceOf(this.tenant.upstream))
    return new ClientCache(this, session)
  }

  close(): void {
    this.cache.close()
    this.host.ended(this)
  }
}
