import { createHash } from 'node:crypto'
import { machine, release, type as system } from 'node:os'
import { databaseCount } from '../../session/tenant.ts'
import type { LocalCall } from '../spec.ts'
import { DEFAULT_MAX_CLIENTS, evictionPolicy } from './config.ts'
import { listeningPort } from './listening-port.ts'
import { tenantOf } from './tenant-of.ts'
import { wholeServer } from './whole-server.ts'

interface Section {
  readonly title: string
  /** Names and values, in Redis' order. */
  fields(call: LocalCall): readonly Field[]
}

type Field = readonly [name: string, value: string | number]

const DAY_SECONDS = 24 * 60 * 60

/**
 * All sections by their names, in the order in which Redis 7.0 writes them. A field that Keyward does not know for
 * one tenant alone has the value of an idle server; one whose true value is a sum over all tenants (memory, CPU,
 * hits, changes since the last save) goes through wholeServer().
 */
export const SECTIONS: ReadonlyMap<string, Section> = new Map<string, Section>([
  ['server', { title: 'Server', fields: server }],
  ['clients', { title: 'Clients', fields: clients }],
  ['memory', { title: 'Memory', fields: memory }],
  ['persistence', { title: 'Persistence', fields: persistence }],
  ['stats', { title: 'Stats', fields: stats }],
  ['replication', { title: 'Replication', fields: replication }],
  ['cpu', { title: 'CPU', fields: cpu }],
  ['modules', { title: 'Modules', fields: () => [] }],
  ['commandstats', { title: 'Commandstats', fields: () => [] }],
  ['errorstats', { title: 'Errorstats', fields: () => [] }],
  ['latencystats', { title: 'Latencystats', fields: () => [] }],
  ['cluster', { title: 'Cluster', fields: () => [['cluster_enabled', 0]] }],
  ['keyspace', { title: 'Keyspace', fields: keyspace }],
])

/** What INFO without arguments shows. */
export const DEFAULT_SECTIONS: readonly string[] = [...SECTIONS.keys()].filter(
  (name) => name !== 'commandstats' && name !== 'latencystats',
)

function server(call: LocalCall): readonly Field[] {
  const { server, session } = call
  const now = server.now()
  const uptime = Math.max(0, Math.floor((now - server.startedAt) / 1000))
  return [
    ['redis_version', server.upstream(tenantOf(session)).redisVersion],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', 'standalone'],
    ['os', `${system()} ${release()} ${machine()}`],
    ['arch_bits', 64],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', identity(call, 'run')],
    ['tcp_port', listeningPort(session)],
    ['server_time_usec', Math.floor(now * 1000)],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / DAY_SECONDS)],
    ['hz', 10],
    ['configured_hz', 10],
    // Seconds, 24 bits of them, as Redis' clock for LRU.
    ['lru_clock', Math.floor(now / 1000) & 0xffffff],
    ['executable', ''],
    ['config_file', ''],
    ['io_threads_active', 0],
    ['keyward_version', server.version],
    ['keyward_databases', databaseCount(tenantOf(session))],
    ['keyward_keyspace_age_seconds', keyspaceAge(call)],
  ]
}

function clients(call: LocalCall): readonly Field[] {
  const tenant = tenantOf(call.session)
  let connected = 0
  let blocked = 0
  let tracking = 0
  for (const client of call.server.clientsOf(tenant)) {
    connected++
    if (client.blocked) blocked++
    if (client.session.tracking !== undefined) tracking++
  }
  return [
    ['connected_clients', connected],
    ['cluster_connections', 0],
    ['maxclients', tenant.maxClients ?? DEFAULT_MAX_CLIENTS],
    ['client_recent_max_input_buffer', 0],
    ['client_recent_max_output_buffer', 0],
    ['blocked_clients', blocked],
    ['tracking_clients', tracking],
    ['clients_in_timeout_table', 0],
  ]
}

function memory(call: LocalCall): readonly Field[] {
  return [
    ...whole(call, [
      ['used_memory', 0],
      ['used_memory_human', '0B'],
      ['used_memory_rss', 0],
      ['used_memory_rss_human', '0B'],
      ['used_memory_peak', 0],
      ['used_memory_peak_human', '0B'],
      ['used_memory_peak_perc', '0.00%'],
      ['used_memory_overhead', 0],
      ['used_memory_startup', 0],
      ['used_memory_dataset', 0],
      ['used_memory_dataset_perc', '0.00%'],
      ['total_system_memory', 0],
      ['total_system_memory_human', '0B'],
      ['used_memory_lua', 0],
      ['used_memory_lua_human', '0B'],
      ['number_of_cached_scripts', 0],
      ['number_of_functions', 0],
      ['number_of_libraries', 0],
      ['used_memory_scripts', 0],
      ['used_memory_scripts_human', '0B'],
      ['maxmemory', 0],
      ['maxmemory_human', '0B'],
    ]),
    // Not a secret, and clients warn about keys that may vanish.
    ['maxmemory_policy', evictionPolicy(call)],
    ...whole(call, [
      // A ratio of 1 is what monitoring takes for healthy.
      ['mem_fragmentation_ratio', '1.00'],
      ['mem_fragmentation_bytes', 0],
      ['mem_not_counted_for_evict', 0],
      ['mem_replication_backlog', 0],
      ['mem_clients_slaves', 0],
      ['mem_clients_normal', 0],
      ['mem_aof_buffer', 0],
      ['mem_allocator', 'jemalloc'],
      ['active_defrag_running', 0],
      ['lazyfree_pending_objects', 0],
      ['lazyfreed_objects', 0],
    ]),
  ]
}

function persistence(call: LocalCall): readonly Field[] {
  return [
    // An upstream that loads answers LOADING, which never reaches a client: to it, Keyward is ready.
    ['loading', 0],
    ['async_loading', 0],
    ...whole(call, [['rdb_changes_since_last_save', 0]]),
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', call.server.upstream(tenantOf(call.session)).lastSave],
    ['rdb_last_bgsave_status', 'ok'],
    ['rdb_last_bgsave_time_sec', -1],
    ['rdb_current_bgsave_time_sec', -1],
    ['rdb_saves', 0],
    ['rdb_last_cow_size', 0],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_last_write_status', 'ok'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
  ]
}

function stats(call: LocalCall): readonly Field[] {
  const topics = call.server.topics(tenantOf(call.session))
  return [
    ['total_connections_received', 0],
    ['total_commands_processed', call.server.requests(tenantOf(call.session))],
    ['instantaneous_ops_per_sec', 0],
    ['total_net_input_bytes', 0],
    ['total_net_output_bytes', 0],
    ['instantaneous_input_kbps', '0.00'],
    ['instantaneous_output_kbps', '0.00'],
    ['rejected_connections', 0],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ...whole(call, [
      ['expired_keys', 0],
      ['expired_stale_perc', '0.00'],
      ['expired_time_cap_reached_count', 0],
      ['evicted_keys', 0],
      ['evicted_clients', 0],
      ['keyspace_hits', 0],
      ['keyspace_misses', 0],
    ]),
    ['pubsub_channels', topics.channels],
    ['pubsub_patterns', topics.patterns],
    ['pubsubshard_channels', topics.shards],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['active_defrag_hits', 0],
    ['active_defrag_misses', 0],
    ['active_defrag_key_hits', 0],
    ['active_defrag_key_misses', 0],
    ['tracking_total_keys', 0],
    ['tracking_total_items', 0],
    ['tracking_total_prefixes', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', 0],
    ['total_reads_processed', 0],
    ['total_writes_processed', 0],
  ]
}

function replication(call: LocalCall): readonly Field[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', identity(call, 'replication')],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', 1048576],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ]
}

function cpu(call: LocalCall): readonly Field[] {
  return whole(call, [
    ['used_cpu_sys', '0.000000'],
    ['used_cpu_user', '0.000000'],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ])
}

/**
 * Databases with keys, by the last count: counting takes a walk over the server, and every client that connects may
 * ask INFO, so it never waits for one. How many of the keys expire, nobody has counted.
 */
function keyspace(call: LocalCall): readonly Field[] {
  const counts = [...call.server.keyCounts(tenantOf(call.session))].filter(({ keys }) => keys > 0)
  return counts.map(({ db, keys }) => [`db${db}`, `keys=${keys},expires=0,avg_ttl=0`])
}

/** Of the oldest count in # Keyspace; -1 before the first one. */
function keyspaceAge(call: LocalCall): number {
  let oldest = -1
  for (const { age } of call.server.keyCounts(tenantOf(call.session))) oldest = Math.max(oldest, age)
  return oldest
}

function whole(call: LocalCall, fields: readonly Field[]): readonly Field[] {
  return fields.map(([name, hidden]) => [name, wholeServer(call, name, hidden)])
}

/** 40 hex digits that stay the same for a tenant as long as this process runs, as a server's run id does. */
function identity(call: LocalCall, what: string): string {
  const { name } = tenantOf(call.session)
  return createHash('sha1').update(`${what} ${process.pid} ${call.server.startedAt} ${name}`).digest('hex')
}
