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
  /** In the order in which they are asked. */
  readonly limits: readonly LimitRule[]
  /** In their order; of those that match a key, the first counts. */
  readonly ttl: readonly TtlRule[]
  /** The near cache; undefined: none. */
  readonly cache: CacheOptions | undefined
  /** Its share of a lane that several tenants fill, against theirs; 1 is the default. */
  readonly weight: number
  readonly scripts: 'allow' | 'deny'
  /** Lower-case SHA-1 of scripts that run though nothing but the prologue keeps them to the tenant's keys. */
  readonly trustedScripts: ReadonlySet<string>
  readonly functions: 'refused' | 'trusted'
  /** Which of Keyward's own commands exist for it. */
  readonly extensions: ReadonlySet<Extension>
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

/** `throttle`: CL.THROTTLE and CL.STATUS. `cache`: CACHE.STATS and CACHE.FLUSH. */
export type Extension = 'throttle' | 'cache'

/** One rate limit. Tokens are operations or bytes. */
export interface LimitRule {
  /** Unique in its tenant. */
  readonly name: string
  readonly unit: 'operations' | 'bytes'
  /** Tokens per second. */
  readonly rate: number
  /** The rate as the file has it: "6000/m". */
  readonly rateText: string
  /** Most tokens that can be spent at once. */
  readonly burst: number
  /** Who has a bucket of its own. `match`: what the first `*` of `keys` stands for. */
  readonly per: 'tenant' | 'user' | 'address' | 'match'
  /** `global`: all processes share the tokens. */
  readonly scope: 'local' | 'global'
  readonly action: 'reject' | 'delay' | 'shadow'
  /** Milliseconds for which `delay` may hold a request; one that would have to wait longer is rejected. */
  readonly maxDelay: number
  /** Requests that this rule may hold at a time, in this process. */
  readonly maxDelayed: number
  /** What a global rule does while its tokens cannot be had. */
  readonly onError: 'allow' | 'local' | 'deny'
  /** Which commands count, as ACL rules; see commands/command-filter.ts. */
  readonly commands: string
  /** Pattern of the tenant's own key names; absent: whatever the keys are. */
  readonly keys: string | undefined
  /** What commands cost that do not cost 1; of several that fit, the last. For operations. */
  readonly costs: readonly { readonly commands: string; readonly cost: number }[]
  /** Every so many bytes of a reply cost an operation more; absent: they do not. */
  readonly replyUnit: number | undefined
  /** Most buckets in this process; names beyond share one. */
  readonly buckets: number
}

/** How long keys of a pattern live. All times in milliseconds; undefined: the rule says nothing of it. */
export interface TtlRule {
  /** Pattern of the tenant's own key names. */
  readonly keys: string
  /** For keys that a write would leave without an expiry. */
  readonly default: number | undefined
  /** Longest and shortest time that a client may ask for. */
  readonly max: number | undefined
  readonly min: number | undefined
  /** Share, 0 to 1, of each time that the rule sets, by which it is made shorter at random. */
  readonly jitter: number
  /** What PERSIST does. `deny`: nothing. `clamp`: the key gets the rule's time instead. */
  readonly persist: 'allow' | 'deny' | 'clamp'
  /** Only count what would be done. */
  readonly dryRun: boolean
}

/** The near cache of a tenant, in this process. */
export interface CacheOptions {
  /** Bytes that entries may take, with what it costs to keep them. */
  readonly memory: number
  /** In their order; of those that match a key, the first counts. */
  readonly rules: readonly CacheRule[]
  /** Milliseconds by which a hit may be behind Redis: so long ago, at most, all invalidations had been heard. */
  readonly maxStaleness: number
  /** Milliseconds past its end for which an entry is served while the upstream is away; 0: not at all. */
  readonly staleWhileDown: number
  /** Fetches for it that may be under way in this process, and replies that may wait for the times to live of their keys. */
  readonly maxFetches: number
  /** Requests that may wait for one fetch. */
  readonly maxFollowers: number
}

export interface CacheRule {
  /** Pattern of the tenant's own key names. */
  readonly keys: string
  /** Milliseconds. */
  readonly maxAge: number
  /** Milliseconds for which it is remembered that a key does not exist; 0: not at all. */
  readonly negative: number
  /** Share, 0 to 1, by which maxAge is made shorter at random. */
  readonly jitter: number
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
