/** A tenant as plain data: who may log in, and where its keys live. Made from the configuration, never changed. */
export interface Tenant {
  readonly name: string
  readonly upstream: string
  /** Raw keys start with it; '' is the pass-through tenant. */
  readonly prefix: string
  /** Absent: one database, raw key = prefix + key. n: raw key = prefix + "<db>:" + key. */
  readonly databases: number | undefined
  readonly maxClients: number | undefined
  readonly buffers: TenantBuffers
  /** Most of clients times names of topics, in this process. */
  readonly subscriptions: number
  readonly slowlog: TenantSlowLog
  readonly replicas: TenantReplicas
  readonly users: ReadonlyMap<string, User>
  /** Small dense number, for arrays of counters. */
  readonly index: number
}

/** All in bytes. */
export interface TenantBuffers {
  readonly request: number
  readonly output: number
  /** Of a client that is subscribed, in place of `output`. */
  readonly pubsub: number
}

/** Which requests SLOWLOG keeps. */
export interface TenantSlowLog {
  /** Milliseconds from being sent upstream to the reply. */
  readonly slowerThan: number
  /** How many; 0: none. */
  readonly entries: number
}

/** Where requests that only read may go. */
export interface TenantReplicas {
  /** `prefer`: to a replica, if there is one that has what the client wrote before; else to the primary. */
  readonly read: 'never' | 'prefer'
  /** Milliseconds by which a replica may be behind and still be read. */
  readonly maxLag: number
}

export interface User {
  readonly name: string
  /** SHA-256 of the password; undefined: may enter only where the listener says `login: optional`. */
  readonly digest: Buffer | undefined
}

/** The bytes in front of every raw key of a database of a tenant. */
export function keyPrefix(tenant: Tenant, db: number): Buffer {
  return Buffer.from(tenant.databases === undefined ? tenant.prefix : `${tenant.prefix}${db}:`, 'latin1')
}

/** The bytes in front of every channel of a tenant, whatever the database. */
export function channelPrefix(tenant: Tenant): Buffer {
  return Buffer.from(tenant.prefix, 'latin1')
}

/** How many databases SELECT may choose from. */
export function databaseCount(tenant: Tenant): number {
  return tenant.databases ?? 1
}
