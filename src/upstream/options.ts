import type { SecureContextOptions } from 'node:tls'

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** One upstream, as the configuration resolved it. Times in milliseconds, sizes in bytes. */
export interface UpstreamOptions {
  readonly name: string
  readonly address: Address
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
  /** Issue again a command that takes elements (BLPOP …) when its connection was lost while it was blocked. */
  readonly reissueBlocked: boolean
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
