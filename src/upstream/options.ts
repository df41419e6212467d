import type { SecureContextOptions } from 'node:tls'

/** Where a server listens. */
export type Address = HostPort | { readonly path: string }

/** One upstream, as the configuration resolved it. Times in milliseconds, sizes in bytes. */
export interface UpstreamOptions {
  readonly name: string
  /** Absent: `sentinel` tells. */
  readonly address: Address | undefined
  readonly sentinel: SentinelOptions | undefined
  /** For the data nodes. */
  readonly user: string | undefined
  readonly password: string | undefined
  /** undefined: plain TCP. Files are read already. */
  readonly tls: UpstreamTls | undefined
  /** Most shared connections per RESP version. */
  readonly lanes: number
  readonly pins: PinOptions
  /** Most connections for subscriptions. */
  readonly subscribers: number
  /** A request or reply over this size takes a lane of its own. */
  readonly bulk: number
  /** Idle time after which a lane sends PING. */
  readonly keepAlive: number
  readonly timeouts: { readonly connect: number; readonly request: number }
  readonly hold: { readonly time: number; readonly memory: number }
  /**
   * Walks over the whole keyspace. `fillTime`: milliseconds for which a page of SCAN is filled up. `share` (0 to 1) of the
   * server's time that walks may take. `memory`: bytes for telling apart the keys that one walk counts.
   */
  readonly scan: { readonly fillTime: number; readonly share: number; readonly memory: number }
  /**
   * ACL users that keep tenants' scripts apart. `auto`: where the upstream's user may make them. `required`: without them the
   * upstream is not used. `off`: never; scripts of tenants are refused.
   */
  readonly walls: 'auto' | 'required' | 'off'
  /** Issue again a command that takes elements (BLPOP …) when its connection was lost while it was blocked. */
  readonly reissueBlocked: boolean
  readonly breaker: BreakerOptions
  readonly fairness: FairnessOptions
  /** Milliseconds between two health probes. */
  readonly health: { readonly interval: number }
}

/** How tenants share a lane. `window`: bytes in flight on it while several tenants send, if the server is near. */
export interface FairnessOptions {
  readonly mode: 'on' | 'off'
  readonly window: number
}

/** How to find the server by Redis Sentinel. https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ */
export interface SentinelOptions {
  /** Its name at the sentinels. */
  readonly master: string
  /** The sentinels to begin with; they name the others. */
  readonly nodes: readonly HostPort[]
  /** For the sentinels, which have users of their own. */
  readonly user: string | undefined
  readonly password: string | undefined
  /** undefined: plain TCP. */
  readonly tls: UpstreamTls | undefined
  /** From addresses that sentinels name, as `host:port`, to those that lead there from here. */
  readonly natMap: ReadonlyMap<string, HostPort>
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** When requests are refused at once instead of being held: `errors` (0 to 1) of the outcomes within `window` ms are bad. */
export interface BreakerOptions {
  readonly errors: number
  readonly window: number
  /** Outcomes within `window` below which nothing is concluded. */
  readonly volume: number
  /** Milliseconds from opening to the next probe. */
  readonly probe: number
}

export interface UpstreamTls {
  readonly ca: SecureContextOptions['ca']
  readonly cert: SecureContextOptions['cert']
  readonly key: SecureContextOptions['key']
  readonly serverName: string | undefined
}

/** Dedicated connections. `max` blocked ones and `max` transactional ones; `perTenant` of each for one tenant. */
export interface PinOptions {
  readonly max: number
  /** Idle ones kept open. */
  readonly warm: number
  readonly perTenant: number
}
