import { type CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Tenant } from '../../session/tenant.ts'
import { KeyPart } from '../key-part.ts'
import type { Policy, PolicyEnv, TenantPolicy } from '../policy.ts'
import type { CacheView } from './cache-view.ts'
import { kindsOf } from './cacheable.ts'
import { CachedTenant, type CachedTenants } from './cached-tenant.ts'
import { EntryProbe } from './entry-key.ts'
import { Generations } from './generations.ts'
import { KeyHash } from './key-hash.ts'
import type { CacheSource } from './source.ts'
import { Touches } from './touches.ts'

/**
 * The policy `cache`: near caches of all tenants in this process. A read whose reply is kept is answered from here, as long as nothing
 * that is known of has written its key: through this process (writers.ts), or, by the invalidation feed of its upstream, through
 * others. What "known of" means is bounded by `maxStaleness`.
 */
export class Cache implements Policy, CachedTenants {
  readonly name = 'cache'
  readonly clock: Clock
  readonly kinds: Uint8Array
  readonly get: CommandSpec
  readonly pttl: CommandSpec
  readonly hasher = new KeyHash()
  readonly probe = new EntryProbe(this.hasher)
  readonly keys = new KeyList()
  /** Of the raw keys of all upstreams. */
  readonly generations = new Generations()
  readonly touches: Touches
  private readonly noPrefix = this.hasher.stateOf(Buffer.alloc(0))
  private readonly env: PolicyEnv
  private readonly tenants = new Map<string, CachedTenant>()

  constructor(env: PolicyEnv) {
    this.env = env
    this.clock = env.clock
    this.kinds = kindsOf(env.table)
    const specOf = (name: string) => env.table.byName(name) as CommandSpec
    this.get = specOf('get')
    this.pttl = specOf('pttl')
    this.touches = new Touches(specOf('touch'), env.clock)
  }

  random(): number {
    return Math.random()
  }

  sourceOf(upstream: string): CacheSource | undefined {
    return this.env.cacheSource(upstream)
  }

  open(tenant: Tenant, env: PolicyEnv, before: TenantPolicy | undefined): TenantPolicy | undefined {
    const old = before as CachedTenant | undefined
    if (tenant.cache === undefined) return undefined
    const cached = old?.isFor(tenant) ? old : new CachedTenant(tenant, tenant.cache, env.indexOf(tenant), this)
    cached.isNew = old !== cached
    if (old !== cached) old?.close()
    // At the end: the views are in the order of the configuration.
    this.tenants.delete(tenant.name)
    this.tenants.set(tenant.name, cached)
    return cached
  }

  ended(cached: CachedTenant): void {
    if (this.tenants.get(cached.tenant.name) === cached) this.tenants.delete(cached.tenant.name)
  }

  /** From a feed: this raw key was written. */
  invalidated(rawKey: Buffer): void {
    const { generations, hasher } = this
    generations.raise(generations.slotOf(hasher.of(this.noPrefix, rawKey, 0, rawKey.length)))
  }

  /** From the feed of this upstream: any key may have been written. */
  everything(upstream: string): void {
    for (const { tenant, cache } of this.tenants.values()) if (tenant.upstream === upstream) cache.outdate()
  }

  /**
   * The feed of this upstream has to tell of raw keys that begin with one of these; none begins another. One character per byte.
   * Empty: nobody caches.
   */
  prefixesOf(upstream: string): readonly string[] {
    const prefixes: string[] = []
    for (const { tenant, options } of this.tenants.values()) {
      if (tenant.upstream !== upstream) continue
      // The number of the database is in between.
      if (tenant.databases !== undefined) prefixes.push(tenant.prefix)
      else for (const { keys } of options.rules) prefixes.push(tenant.prefix + literalHead(keys))
    }
    const sorted = [...new Set(prefixes)].sort()
    return sorted.filter((prefix, i) => !sorted.slice(0, i).some((shorter) => prefix.startsWith(shorter)))
  }

  /** In the order of the configuration. */
  view(): readonly CacheView[] {
    this.clock.tick()
    return [...this.tenants.values()].map(({ cache }) => cache.view())
  }

  /** undefined: the tenant has none. */
  viewOf(tenant: string): CacheView | undefined {
    return this.tenants.get(tenant)?.cache.view()
  }

  /** Drops entries of all databases of the tenant, or those of keys that match; returns how many. */
  flush(tenant: string, pattern: Buffer | undefined): number {
    const part = pattern === undefined ? undefined : new KeyPart(pattern)
    return this.tenants.get(tenant)?.cache.flush(part) ?? 0
  }

  /** The process ends. */
  stop(): void {
    for (const cached of [...this.tenants.values()]) cached.close()
  }
}

/** What every name begins with that a pattern matches, in UTF-8, one character per byte. */
function literalHead(pattern: string): string {
  return Buffer.from(pattern.slice(0, pattern.search(/[*?[\\]|$/))).toString('latin1')
}
