/**
 * One upstream, as upstream/upstream.ts tells it. Times in milliseconds, sizes in bytes, unless said otherwise; undefined
 * is what is not known. /upstreams prints all of it, so no secret has a place here.
 */
export interface UpstreamView {
  readonly name: string
  /** A connection is ready. */
  readonly usable: boolean
  /** Of the primary; undefined: not found yet. */
  readonly address: string | undefined
  /** In INFO's words: "master", "slave". */
  readonly role: string
  /** Its user may not set expiries, and some tenant's ttl rules need it: writes that one has to follow are refused. */
  readonly expiryDenied: boolean
  /** ACL users for scripts. `why`: there are none. */
  readonly walls: {
    readonly mode: string
    readonly up: boolean
    readonly users: number
    readonly why: string | undefined
  }
  /** Lost connections that were replaced. */
  readonly reconnects: number
  readonly node: NodeNumbers
  readonly breaker: BreakerView
  readonly health: HealthView
  /** Requests that got UPSTREAMDOWN, by why they did not wait. */
  readonly refused: { readonly time: number; readonly memory: number; readonly breaker: number }
  /** What waits on purpose, and why. */
  readonly waits: 'nothing' | 'writes' | 'everything'
  readonly why: string | undefined
  /** Failovers that were followed; those that lost writes, those of which it is not known, and how long the newest took. */
  readonly moves: { readonly count: number; readonly lossy: number; readonly unproven: number; readonly took: number }
  readonly topology: {
    readonly kind: string
    /** At most 32. */
    readonly sentinels: readonly {
      readonly address: string
      readonly connected: boolean
      /** The primary that it named last. */
      readonly names: string | undefined
    }[]
  }
  /** How tenants take turns on the lanes; undefined: first come, first served. */
  readonly fairness:
    | {
        /** What may be in flight on one lane, now. */
        readonly window: number
        /** How often several tenants waited when the next to send were chosen. */
        readonly rounds: number
        /** The most that each had waiting in the last ten to twenty seconds, and in how many of the rounds looked at. */
        readonly waited: readonly {
          readonly tenant: string
          readonly rounds: number
          readonly requests: number
          readonly bytes: number
        }[]
      }
    | undefined
  /** Those that are read, at most 16. */
  readonly replicas: readonly ReplicaView[]
  readonly invalidations: InvalidationsView
  /** Requests of the near caches: under way, and those that were not made, as no writes to their keys are told of. */
  readonly cacheFetches: { readonly pending: number; readonly refused: number }
}

/** The connection that tells of writes to cached keys. */
export interface InvalidationsView {
  /** Some tenant caches; else there is no connection. */
  readonly wanted: boolean
  /** The server says that it tracks. */
  readonly connected: boolean
  /** That the server was told; 0: it tells of all keys. */
  readonly prefixes: number
  /** Keys that it has told of, and how often it said that all are gone. */
  readonly invalidations: number
  readonly flushes: number
  /** How often it was lost while it told of writes. */
  readonly reconnects: number
  /** From the newest heartbeat that was answered to its answer; undefined: there was none. */
  readonly delay: number | undefined
  /** Why it does not track, in the words of the server; undefined: it does, or is about to. */
  readonly refusal: string | undefined
  /** How often it said so. */
  readonly refusals: number
}

export interface ReplicaView {
  readonly address: string
  readonly usable: boolean
  /** Infinity: not known. */
  readonly lag: number
  /** Reads sent there. */
  readonly reads: number
}

export interface BreakerView {
  readonly state: 'closed' | 'open' | 'half-open'
  /** How often it left `closed`. */
  readonly openedTimes: number
  /** Since it left `closed`; 0 while closed. */
  readonly openFor: number
  /** Counted within its window, and the bad ones' share of them, 0 to 1. */
  readonly outcomes: number
  readonly rate: number
}

export interface HealthView {
  readonly ok: boolean
  /** Why not, or why the newest probe failed; empty when all is well. */
  readonly reason: string
  /** Since the newest good probe. */
  readonly age: number | undefined
  /** Probes that failed. */
  readonly failures: number
  /** What the newest good probe found. It stays when the server goes: `age` says how old it is. */
  readonly report: HealthReport | undefined
  /** Of the report, what a person should know of. */
  readonly concerns: readonly string[]
}

export interface HealthReport {
  /** When it was asked, by the clock of the process. */
  readonly at: number
  readonly ping: number
  readonly version: string | undefined
  /** Seconds. */
  readonly uptime: number | undefined
  readonly replication: {
    readonly role: string | undefined
    readonly offset: number | undefined
    /** Replicas that the server counts. */
    readonly connected: number
  }
  /** `limit`: maxmemory; undefined: none. */
  readonly memory: {
    readonly used: number | undefined
    readonly peak: number | undefined
    readonly resident: number | undefined
    readonly limit: number | undefined
  }
  readonly clients: {
    readonly connected: number | undefined
    readonly blocked: number | undefined
    /** maxclients. */
    readonly limit: number | undefined
  }
  readonly persistence: {
    readonly rdbOk: boolean | undefined
    /** Changes since the last RDB file. */
    readonly rdbUnsaved: number | undefined
    /** undefined: no AOF. */
    readonly aofOk: boolean | undefined
  }
}

/** As upstream/node.ts counts them. */
export interface NodeNumbers {
  readonly connections: {
    readonly lane: number
    readonly bulk: number
    readonly pin: number
    readonly connecting: number
  }
  readonly places: {
    readonly sent: number
    readonly scheduled: number
    readonly abandoned: number
    readonly held: number
  }
  readonly bytes: { readonly sent: number; readonly held: number }
  /** For how long the oldest held request has waited. */
  readonly oldest: number
  /** The connection that carries all subscriptions, and what the upstream knows of on it. */
  readonly subscriber: {
    readonly connections: number
    readonly channels: number
    readonly patterns: number
    readonly shards: number
    readonly reconnects: number
    readonly messages: number
  }
  readonly pins: {
    readonly idle: number
    readonly blocked: number
    readonly transaction: number
    readonly waiting: number
    readonly oldest: number
  }
}
