import type { ListenerOptions } from '../client/options.ts'
import type { Tenant } from '../session/tenant.ts'
import type { UpstreamOptions } from '../upstream/options.ts'

/** The whole configuration, checked and resolved: an immutable snapshot. Times in milliseconds, sizes in bytes. */
export interface Config {
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent' }
  /** All buffers of the process together. */
  readonly memory: number
  readonly shutdown: { readonly deadline: number }
  readonly listeners: readonly ListenerOptions[]
  /** At least one of the two. */
  readonly admin:
    | {
        readonly address: { readonly host: string; readonly port: number } | undefined
        readonly socket: { readonly path: string; readonly mode: number } | undefined
      }
    | undefined
  /**
   * Lua scripts of tenants. `memory`: of texts that are kept in this process; `largest`: of one. `perTenant`: texts in the upstream.
   * `newPerMinute`: of one tenant, that it has not run lately.
   */
  readonly scripts: {
    readonly memory: number
    readonly perTenant: number
    readonly largest: number
    readonly newPerMinute: number
  }
  /** CLIENT TRACKING. `maxKeys`: most pairs of a key and a client that has read it. */
  readonly tracking: { readonly maxKeys: number; readonly maxStaleness: number }
  /** Tenants with labels of their own in metrics; the others are "_other". */
  readonly metrics: { readonly tenants: number }
  readonly upstreams: ReadonlyMap<string, UpstreamOptions>
  readonly tenants: ReadonlyMap<string, Tenant>
  /** The file it came from, if any. */
  readonly source: string | undefined
}
