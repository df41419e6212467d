/**
 * How one server is, in plain values for metrics, the admin API and people. `undefined`: the server does not say; providers
 * and older versions leave fields out.
 */
export interface HealthReport {
  /** Clock milliseconds at which it was asked. */
  readonly at: number
  /** Milliseconds that a PING took. */
  readonly ping: number
  readonly version: string | undefined
  /** Seconds. */
  readonly uptime: number | undefined
  readonly replication: ReplicationReport
  readonly memory: {
    /** Bytes. */
    readonly used: number | undefined
    readonly peak: number | undefined
    readonly resident: number | undefined
    /** `maxmemory`; undefined: no limit, or the server does not say. */
    readonly limit: number | undefined
    /** resident / used. */
    readonly fragmentation: number | undefined
    /** `maxmemory-policy`. */
    readonly policy: string | undefined
  }
  readonly clients: {
    readonly connected: number | undefined
    readonly blocked: number | undefined
    /** `maxclients`. */
    readonly limit: number | undefined
  }
  readonly persistence: {
    readonly loading: boolean
    /** Unix seconds of the last RDB file. */
    readonly rdbSavedAt: number | undefined
    /** Whether the last attempt went well. */
    readonly rdbOk: boolean | undefined
    /** Changes since then. */
    readonly rdbUnsaved: number | undefined
    readonly aof: boolean | undefined
    /** Whether the last write to the AOF, and the last time it was rewritten, went well. */
    readonly aofOk: boolean | undefined
  }
}

export interface ReplicationReport {
  /** "master", "slave" (INFO's words); undefined where it is hidden. */
  readonly role: string | undefined
  /** Of the data set that `offset` counts in; offsets of different ids cannot be compared. */
  readonly id: string | undefined
  /** Bytes of the replication stream that the data contains. */
  readonly offset: number | undefined
  /** A replica's link to its primary; undefined on a primary. */
  readonly link: 'up' | 'down' | undefined
  /** A replica that receives everything anew. */
  readonly syncing: boolean
  /** Of a replica: where it follows, `host:port`. */
  readonly primary: string | undefined
  /** Of a primary: how many replicas it counts, whatever their state. */
  readonly connected: number
  /** Of a primary: in its order, at most 64. */
  readonly replicas: readonly ReplicaReport[]
}

/** A replica as its primary sees it. */
export interface ReplicaReport {
  /** `host:port`, as announced. */
  readonly address: string
  /** "online" when it has everything up to its offset. */
  readonly state: string
  /** What it acknowledged last, which it does once a second. */
  readonly offset: number | undefined
  /** Seconds since that. */
  readonly lag: number | undefined
}

/** INFO lists all; nobody needs more in metrics. */
const MOST_REPLICAS = 64

/** `info`: the fields of INFO, all sections. `ping`: milliseconds. `at`: clock milliseconds. Never fails. */
export function healthReport(info: ReadonlyMap<string, string>, ping: number, at: number): HealthReport {
  const limit = number(info.get('maxmemory'))
  const aof = flag(info.get('aof_enabled'))
  return {
    at,
    ping,
    version: info.get('valkey_version') ?? info.get('redis_version'),
    uptime: number(info.get('uptime_in_seconds')),
    replication: replication(info),
    memory: {
      used: number(info.get('used_memory')),
      peak: number(info.get('used_memory_peak')),
      resident: number(info.get('used_memory_rss')),
      limit: limit === 0 ? undefined : limit,
      fragmentation: number(info.get('mem_fragmentation_ratio')),
      policy: info.get('maxmemory_policy'),
    },
    clients: {
      connected: number(info.get('connected_clients')),
      blocked: number(info.get('blocked_clients')),
      limit: number(info.get('maxclients')),
    },
    persistence: {
      loading: info.get('loading') === '1',
      rdbSavedAt: number(info.get('rdb_last_save_time')),
      rdbOk: status(info.get('rdb_last_bgsave_status')),
      rdbUnsaved: number(info.get('rdb_changes_since_last_save')),
      aof,
      // Of an AOF that is off, the server still says how it went when it was on.
      aofOk: aof === true ? aofOk(info) : undefined,
    },
  }
}

/**
 * What a person should know of although the server answers, in the order of weight; empty: nothing. None of it makes a
 * server unusable: a proxy that called itself not ready for it would take away what still works.
 */
export function concerns({ replication, memory, persistence }: HealthReport): readonly string[] {
  const found: string[] = []
  if (replication.link === 'down') found.push('a replica that has lost its primary: what it answers grows old')
  if (persistence.rdbOk === false) {
    found.push('the last RDB save failed: by default the server refuses writes (MISCONF) until one succeeds')
  }
  if (persistence.aofOk === false) found.push('the last write to the AOF, or its rewriting, failed')
  const { used, limit } = memory
  if (used !== undefined && limit !== undefined && used >= limit * NEARLY_FULL) {
    const evicts = memory.policy !== 'noeviction'
    found.push(`memory is nearly full: soon the server ${evicts ? 'evicts keys' : 'refuses writes (OOM)'}`)
  }
  return found
}

const NEARLY_FULL = 0.95

function replication(info: ReadonlyMap<string, string>): ReplicationReport {
  const role = info.get('role')
  const isReplica = role === 'slave'
  const host = info.get('master_host')
  const link = info.get('master_link_status')
  return {
    role,
    id: info.get('master_replid'),
    // On a replica this one counts what it has executed; slave_read_repl_offset is further on, and master_repl_offset may be.
    offset: number(info.get(isReplica ? 'slave_repl_offset' : 'master_repl_offset')),
    link: !isReplica || link === undefined ? undefined : link === 'up' ? 'up' : 'down',
    syncing: info.get('master_sync_in_progress') === '1',
    primary: isReplica && host !== undefined ? `${host}:${info.get('master_port')}` : undefined,
    connected: number(info.get('connected_slaves')) ?? 0,
    replicas: replicas(info),
  }
}

/** `slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0`; newer versions append more. */
function replicas(info: ReadonlyMap<string, string>): readonly ReplicaReport[] {
  const found: ReplicaReport[] = []
  for (let i = 0; i < MOST_REPLICAS; i++) {
    const line = info.get(`slave${i}`)
    if (line === undefined) break
    const fields = new Map<string, string>()
    for (const part of line.split(',')) {
      const equals = part.indexOf('=')
      if (equals > 0) fields.set(part.slice(0, equals), part.slice(equals + 1))
    }
    found.push({
      address: `${fields.get('ip') ?? ''}:${fields.get('port') ?? ''}`,
      state: fields.get('state') ?? '',
      offset: number(fields.get('offset')),
      lag: number(fields.get('lag')),
    })
  }
  return found
}

function aofOk(info: ReadonlyMap<string, string>): boolean | undefined {
  const write = status(info.get('aof_last_write_status'))
  const rewrite = status(info.get('aof_last_bgrewrite_status'))
  return write === undefined ? rewrite : write && rewrite !== false
}

function status(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'ok'
}

function flag(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === '1'
}

/** INFO's numbers are decimal; -1, where a server has none yet, is none. */
function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}
