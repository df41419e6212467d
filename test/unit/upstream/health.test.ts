import { expect, test } from 'vitest'
import { Health } from '../../../src/upstream/health.ts'
import { concerns, healthReport } from '../../../src/upstream/health-report.ts'

const fields = (text: string) =>
  new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )

const PRIMARY = fields(`
  redis_version:7.0.15
  uptime_in_seconds:123
  connected_clients:7
  maxclients:10000
  blocked_clients:2
  used_memory:1015792
  used_memory_rss:12451840
  used_memory_peak:1115792
  maxmemory:0
  maxmemory_policy:noeviction
  mem_fragmentation_ratio:13.07
  loading:0
  rdb_changes_since_last_save:12
  rdb_last_save_time:1795247112
  rdb_last_bgsave_status:ok
  aof_enabled:0
  aof_last_bgrewrite_status:ok
  aof_last_write_status:ok
  role:master
  connected_slaves:2
  slave0:ip=127.0.0.1,port=24712,state=online,offset=84,lag=1
  slave1:ip=2001:db8::7,port=6379,state=wait_bgsave,offset=0,lag=0,type=replica
  master_replid:4b3fb7160a145c65dcc9a37d5999c40a888ea357
  master_repl_offset:191
  second_repl_offset:-1
`)

const REPLICA = fields(`
  redis_version:7.2.4
  valkey_version:8.0.1
  loading:0
  role:slave
  master_host:127.0.0.1
  master_port:24711
  master_link_status:up
  master_sync_in_progress:0
  slave_read_repl_offset:193
  slave_repl_offset:191
  connected_slaves:0
  master_replid:4b3fb7160a145c65dcc9a37d5999c40a888ea357
  master_repl_offset:195
`)

const changed = (info: ReadonlyMap<string, string>, ...changes: [string, string][]) => new Map([...info, ...changes])

test('the report of a primary', () => {
  expect(healthReport(PRIMARY, 1.5, 1000)).toEqual({
    at: 1000,
    ping: 1.5,
    version: '7.0.15',
    uptime: 123,
    replication: {
      role: 'master',
      id: '4b3fb7160a145c65dcc9a37d5999c40a888ea357',
      offset: 191,
      link: undefined,
      syncing: false,
      primary: undefined,
      connected: 2,
      replicas: [
        { address: '127.0.0.1:24712', state: 'online', offset: 84, lag: 1 },
        { address: '2001:db8::7:6379', state: 'wait_bgsave', offset: 0, lag: 0 },
      ],
    },
    memory: {
      used: 1015792,
      peak: 1115792,
      resident: 12451840,
      limit: undefined,
      fragmentation: 13.07,
      policy: 'noeviction',
    },
    clients: { connected: 7, blocked: 2, limit: 10000 },
    persistence: {
      loading: false,
      rdbSavedAt: 1795247112,
      rdbOk: true,
      rdbUnsaved: 12,
      aof: false,
      aofOk: undefined,
    },
  })
})

test('a replica: its offset is that of what it has executed', () => {
  const { version, replication } = healthReport(REPLICA, 1, 0)
  expect(version).toBe('8.0.1')
  expect(replication).toMatchObject({
    role: 'slave',
    offset: 191,
    link: 'up',
    primary: '127.0.0.1:24711',
    replicas: [],
  })
})

test('what a server does not say is undefined, and never a number by chance', () => {
  const report = healthReport(fields('redis_version:\nused_memory:-1\nmaxclients:1e9\nslave0:nonsense'), 1, 0)
  expect(report.memory.used).toBeUndefined()
  expect(report.clients.limit).toBeUndefined()
  expect(report.replication).toMatchObject({ role: undefined, offset: undefined, link: undefined, connected: 0 })
  expect(report.replication.replicas).toEqual([{ address: ':', state: '', offset: undefined, lag: undefined }])
  expect(report.persistence).toMatchObject({ loading: false, rdbOk: undefined, aof: undefined, aofOk: undefined })
  expect(concerns(report)).toEqual([])
})

test('at most 64 replicas are listed, all are counted', () => {
  const many = Array.from({ length: 100 }, (_, i): [string, string] => [`slave${i}`, 'ip=h,port=1,state=online'])
  const { replication } = healthReport(changed(PRIMARY, ...many, ['connected_slaves', '100']), 1, 0)
  expect(replication.connected).toBe(100)
  expect(replication.replicas).toHaveLength(64)
})

test.each<[what: string, info: Map<string, string>, concern: RegExp | undefined]>([
  ['nothing', changed(PRIMARY), undefined],
  ['a lost link', changed(REPLICA, ['master_link_status', 'down']), /lost its primary/],
  ['a failed RDB', changed(PRIMARY, ['rdb_last_bgsave_status', 'err']), /MISCONF/],
  ['a failed AOF', changed(PRIMARY, ['aof_enabled', '1'], ['aof_last_write_status', 'err']), /AOF/],
  ['a failed rewrite', changed(PRIMARY, ['aof_enabled', '1'], ['aof_last_bgrewrite_status', 'err']), /AOF/],
  ['an AOF that is off', changed(PRIMARY, ['aof_last_write_status', 'err']), undefined],
  ['full memory', changed(PRIMARY, ['maxmemory', '1015792']), /OOM/],
  [
    'full memory with eviction',
    changed(PRIMARY, ['maxmemory', '1015792'], ['maxmemory_policy', 'allkeys-lru']),
    /evicts keys/,
  ],
  ['memory with room', changed(PRIMARY, ['maxmemory', '2000000']), undefined],
])('concerns: %s', (_, info, concern) => {
  const found = concerns(healthReport(info, 1, 0))
  expect(found).toHaveLength(concern === undefined ? 0 : 1)
  if (concern !== undefined) expect(found[0]).toMatch(concern)
})

test('ok from the first good probe until `patience` is over, whatever failed meanwhile', () => {
  const health = new Health(5000)
  expect(health.view(0)).toEqual({
    ok: false,
    reason: 'not probed yet',
    age: undefined,
    failures: 0,
    report: undefined,
    concerns: [],
  })
  health.failed('connect ECONNREFUSED')
  expect(health.view(10)).toMatchObject({ ok: false, reason: 'connect ECONNREFUSED', failures: 1 })
  const report = healthReport(PRIMARY, 1, 1000)
  health.succeeded(report)
  expect(health.view(1001)).toMatchObject({ ok: true, reason: '', age: 1, report })
  health.failed('timed out')
  expect(health.view(6000)).toMatchObject({ ok: true, reason: 'timed out', age: 5000, failures: 2 })
  expect(health.view(6001)).toMatchObject({ ok: false, reason: 'timed out' })
  health.succeeded(healthReport(PRIMARY, 1, 7000))
  expect(health.view(7000)).toMatchObject({ ok: true, reason: '' })
  expect(health.view(13_000)).toMatchObject({ ok: false, reason: 'no probe for 6 s' })
})

test('a server that loads is not ok', () => {
  const health = new Health(5000)
  health.succeeded(healthReport(changed(PRIMARY, ['loading', '1']), 1, 0))
  expect(health.view(1)).toMatchObject({ ok: false, reason: 'it is loading its data' })
})

test('another server begins without a report', () => {
  const health = new Health(5000)
  health.succeeded(healthReport(PRIMARY, 1, 0))
  health.reset()
  expect(health.view(1)).toMatchObject({ ok: false, reason: 'not probed yet', report: undefined })
})
