import { isDeepStrictEqual } from 'node:util'
import { keyPrefix, type Tenant, type TtlRule } from './session/tenant.ts'
import type { NodeEnv } from './upstream/node-env.ts'
import type { UpstreamOptions } from './upstream/options.ts'
import { Upstream } from './upstream/upstream.ts'

/** What of a configuration is about upstreams. */
export interface UpstreamsConfig {
  readonly upstreams: ReadonlyMap<string, UpstreamOptions>
  readonly tenants: ReadonlyMap<string, Tenant>
}

/** Who keeps copies of keys, and wants to hear of writes. */
export interface Copies {
  invalidated(rawKey: Buffer): void
  everything(upstream: string): void
  /** Of the raw keys that may be copied from this upstream. */
  prefixesOf(upstream: string): readonly string[]
}

/** An upstream that a reload has replaced, and by what. */
type Replaced = readonly [old: Upstream, successor: Upstream | undefined]

/** The upstreams of the configuration, what its tenants need of each, and those that a reload replaced. */
export class UpstreamSet {
  readonly byName = new Map<string, Upstream>()
  private readonly env: NodeEnv
  private readonly copies: Copies
  /** Replaced, with something left to end. */
  private retired: readonly Upstream[] = []

  constructor(env: NodeEnv, copies: Copies) {
    this.env = env
    this.copies = copies
  }

  /** Makes it; nothing connects yet. */
  add(options: UpstreamOptions): Upstream {
    const upstream = new Upstream(options, this.env)
    const { feed } = upstream.cacheSource
    feed.onInvalidated = (rawKey) => this.copies.invalidated(rawKey)
    feed.onEverything = () => this.copies.everything(options.name)
    this.byName.set(options.name, upstream)
    return upstream
  }

  start(): void {
    for (const upstream of this.byName.values()) upstream.start()
  }

  /** Opens those of `config` that are new or have other settings than in `before`. The old ones go on until `retire`. */
  replace(before: UpstreamsConfig, config: UpstreamsConfig): readonly Replaced[] {
    const replaced: Replaced[] = []
    for (const [name, options] of config.upstreams) {
      const old = this.byName.get(name)
      if (old !== undefined && isDeepStrictEqual(before.upstreams.get(name), options)) continue
      const upstream = this.add(options)
      if (old !== undefined) {
        upstream.succeed(old)
        replaced.push([old, upstream])
      }
      upstream.start()
    }
    for (const [name, upstream] of this.byName) {
      if (config.upstreams.has(name)) continue
      this.byName.delete(name)
      replaced.push([upstream, undefined])
    }
    return replaced
  }

  /** What the old ones hold goes to their successors; they end what is under way, and stop. */
  retire(replaced: readonly Replaced[]): void {
    for (const [old, successor] of replaced) old.retire(successor)
    this.retired = [...this.retired, ...replaced.map(([old]) => old)].filter(({ primary }) => !primary.ended)
  }

  /** Asks of each upstream what its tenants need, and no more. */
  serve(tenants: Iterable<Tenant>): void {
    const all = [...tenants]
    for (const [name, upstream] of this.byName) {
      const own = all.filter((tenant) => tenant.upstream === name)
      // Replicas are looked at as often as the most demanding tenant needs.
      const lags = own.filter(({ replicas }) => replicas.read === 'prefer').map(({ replicas }) => replicas.maxLag)
      upstream.replicas.readBy(lags.length === 0 ? undefined : Math.min(...lags))
      // Where an expiry has to follow writes, the upstream's user must be allowed to set it.
      const expiring = own.find(({ ttl }) => ttl.some(expires))
      upstream.primary.facts.expiry.want(expiring && keyPrefix(expiring, 0).toString('latin1'))
      // Writes are heard of where somebody keeps copies of what they change.
      upstream.cacheSource.feed.track(this.copies.prefixesOf(name))
    }
  }

  /** Why traffic should not come; undefined: it may. `now`: clock time. */
  unready(now: number): string | undefined {
    for (const upstream of this.byName.values()) {
      const reason = upstream.unready(now)
      if (reason !== undefined) return `upstream ${upstream.options.name} ${reason}`
    }
    return undefined
  }

  stop(): void {
    for (const upstream of [...this.byName.values(), ...this.retired]) upstream.stop()
  }
}

/** Does it make requests follow others? */
function expires({ default: time, persist, dryRun }: TtlRule): boolean {
  return !dryRun && (time !== undefined || persist === 'clamp')
}
