import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Metrics } from '../../../src/admin/metrics.ts'
import type { UpstreamView } from '../../../src/admin/upstream-view.ts'
import { FAMILIES, LATENCY_BOUNDS } from '../../../src/client/stats.ts'
import { FakeSource, report, stats, upstream } from './source.ts'

/** The value of a line of the text format; undefined when there is none. */
function value(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

function requests(family: string, count: number): Float64Array {
  const counts = new Float64Array(FAMILIES.length)
  counts[FAMILIES.indexOf(family as (typeof FAMILIES)[number])] = count
  return counts
}

const source = new FakeSource()
const metrics = new Metrics(source, '1.2.3')

describe('what is told', () => {
  it('of the process', async () => {
    source.process = {
      ...source.process,
      generation: 3,
      connections: 7,
      barrier: 5,
      memory: { clients: 99, limit: 1000, cuts: 2 },
    }
    const text = await metrics.render()
    expect(value(text, `keyward_build_info{version="1.2.3",node="${process.version}"}`)).toBe(1)
    expect(value(text, 'keyward_ready')).toBe(1)
    expect(value(text, 'keyward_draining')).toBe(0)
    expect(value(text, 'keyward_config_generation')).toBe(3)
    expect(value(text, 'keyward_client_connections')).toBe(7)
    expect(value(text, 'keyward_queue_length{place="barrier",upstream=""}')).toBe(5)
    expect(value(text, 'keyward_memory_bytes{place="clients",upstream=""}')).toBe(99)
    expect(value(text, 'keyward_memory_limit_bytes')).toBe(1000)
    expect(value(text, 'keyward_memory_cuts_total')).toBe(2)
    expect(value(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6)
  })

  it('of tenants', async () => {
    const latency = new Float64Array(LATENCY_BOUNDS.length + 1)
    latency[0] = 2
    latency[1] = 3
    latency[LATENCY_BOUNDS.length] = 1
    const acme = stats({
      clients: 4,
      requests: requests('string', 11),
      bytesIn: 100,
      bytesOut: 200,
      errors: new Map([['NOAUTH', 6]]),
      refusals: new Map([['its keys sit in a pattern', 8]]),
      latency,
      latencySum: 9000,
    })
    source.process = {
      ...source.process,
      tenants: [
        { name: '', stats: stats({ bytesIn: 3 }) },
        { name: 'acme', stats: acme },
      ],
    }
    const text = await metrics.render()
    expect(value(text, 'keyward_clients{tenant="acme"}')).toBe(4)
    expect(value(text, 'keyward_requests_total{tenant="acme",family="string"}')).toBe(11)
    expect(value(text, 'keyward_requests_total{tenant="acme",family="hash"}')).toBeUndefined()
    expect(value(text, 'keyward_received_bytes_total{tenant="acme"}')).toBe(100)
    expect(value(text, 'keyward_received_bytes_total{tenant="_none"}')).toBe(3)
    expect(value(text, 'keyward_sent_bytes_total{tenant="acme"}')).toBe(200)
    expect(value(text, 'keyward_errors_total{tenant="acme",code="NOAUTH"}')).toBe(6)
    expect(value(text, 'keyward_refusals_total{tenant="acme",reason="its keys sit in a pattern"}')).toBe(8)
    const bucket = (le: string) => value(text, `keyward_request_duration_seconds_bucket{tenant="acme",le="${le}"}`)
    expect([bucket('0.00025'), bucket('0.0005'), bucket('5'), bucket('+Inf')]).toEqual([2, 5, 5, 6])
    expect(value(text, 'keyward_request_duration_seconds_sum{tenant="acme"}')).toBe(9)
    expect(value(text, 'keyward_request_duration_seconds_count{tenant="acme"}')).toBe(6)
  })

  it('of upstreams', async () => {
    const node = {
      connections: { lane: 3, bulk: 1, pin: 4, connecting: 2 },
      places: { sent: 10, scheduled: 20, abandoned: 30, held: 40 },
      bytes: { sent: 1000, held: 2000 },
      oldest: 1500,
      subscriber: { connections: 1, channels: 4, patterns: 5, shards: 6, reconnects: 7, messages: 8 },
      pins: { idle: 1, blocked: 2, transaction: 1, waiting: 6, oldest: 250 },
    }
    source.process = {
      ...source.process,
      upstreams: [
        upstream({ usable: false, reconnects: 9, node, fairness: { window: 32768, rounds: 12, waited: [] } }),
      ],
    }
    const text = await metrics.render()
    expect(value(text, 'keyward_upstream_up{upstream="main"}')).toBe(0)
    expect(value(text, 'keyward_upstream_connections{upstream="main",kind="subscriber",state="ready"}')).toBe(1)
    expect(value(text, 'keyward_upstream_topics{upstream="main",kind="pattern"}')).toBe(5)
    expect(value(text, 'keyward_upstream_messages_total{upstream="main"}')).toBe(8)
    expect(value(text, 'keyward_upstream_subscriber_reconnects_total{upstream="main"}')).toBe(7)
    expect(value(text, 'keyward_upstream_reconnects_total{upstream="main"}')).toBe(9)
    expect(value(text, 'keyward_upstream_window_bytes{upstream="main"}')).toBe(32768)
    expect(value(text, 'keyward_upstream_shared_rounds_total{upstream="main"}')).toBe(12)
    const connections = (kind: string, state: string) =>
      value(text, `keyward_upstream_connections{upstream="main",kind="${kind}",state="${state}"}`)
    expect(connections('lane', 'ready')).toBe(3)
    expect(connections('bulk', 'ready')).toBe(1)
    expect(connections('pin', 'blocked')).toBe(2)
    expect(connections('any', 'connecting')).toBe(2)
    const queue = (place: string) => value(text, `keyward_queue_length{place="${place}",upstream="main"}`)
    expect(['sent', 'scheduled', 'abandoned', 'held', 'pin'].map(queue)).toEqual([10, 20, 30, 40, 6])
    expect(value(text, 'keyward_queue_oldest_seconds{place="held",upstream="main"}')).toBe(1.5)
    expect(value(text, 'keyward_queue_oldest_seconds{place="pin",upstream="main"}')).toBe(0.25)
    expect(value(text, 'keyward_memory_bytes{place="held",upstream="main"}')).toBe(2000)
  })
})

describe('what is told of an upstream', () => {
  async function tell(some: Partial<UpstreamView>): Promise<(series: string) => number | undefined> {
    source.process = { ...source.process, upstreams: [upstream(some)] }
    const text = await metrics.render()
    return (series) => value(text, series)
  }

  it('the breaker', async () => {
    const told = await tell({ breaker: { state: 'half-open', openedTimes: 3, openFor: 1500, outcomes: 8, rate: 0.75 } })
    const state = (name: string) => told(`keyward_upstream_breaker_state{upstream="main",state="${name}"}`)
    expect(['closed', 'open', 'half-open'].map(state)).toEqual([0, 0, 1])
    expect(told('keyward_upstream_breaker_opened_total{upstream="main"}')).toBe(3)
    expect(told('keyward_upstream_breaker_error_ratio{upstream="main"}')).toBe(0.75)
    expect(told('keyward_upstream_breaker_open_seconds{upstream="main"}')).toBe(1.5)
  })

  it('its health, and what the newest probe found', async () => {
    const told = await tell({
      health: { ok: false, reason: 'no answer', age: 9500, failures: 4, report: report(), concerns: ['a', 'b'] },
    })
    const one = (name: string) => told(`keyward_upstream_${name}{upstream="main"}`)
    expect(one('healthy')).toBe(0)
    expect(one('probe_age_seconds')).toBe(9.5)
    expect(one('probe_failures_total')).toBe(4)
    expect(one('ping_seconds')).toBe(0.002)
    expect(one('uptime_seconds')).toBe(3600)
    expect(one('rdb_unsaved_changes')).toBe(17)
    expect(one('concerns')).toBe(2)
    expect(one('replication_offset_bytes')).toBe(5000)
    expect(one('connected_replicas')).toBe(2)
    expect(told('keyward_upstream_info{upstream="main",role="master",version="7.0.15"}')).toBe(1)
    const memory = (kind: string) => told(`keyward_upstream_memory_bytes{upstream="main",kind="${kind}"}`)
    expect(['used', 'peak', 'resident', 'limit'].map(memory)).toEqual([1000, 2000, 3000, 4000])
    const clients = (state: string) => told(`keyward_upstream_clients{upstream="main",state="${state}"}`)
    expect(['connected', 'blocked', 'limit'].map(clients)).toEqual([5, 1, 10_000])
    const persistence = (kind: string) => told(`keyward_upstream_persistence_ok{upstream="main",kind="${kind}"}`)
    expect(['rdb', 'aof'].map(persistence)).toEqual([1, 0])
  })

  it('nothing of what the server did not say', async () => {
    await tell({
      health: {
        ok: true,
        reason: '',
        age: 1,
        failures: 0,
        concerns: [],
        report: report({
          version: undefined,
          uptime: undefined,
          replication: { role: undefined, offset: undefined, connected: 0 },
          memory: { used: 1000, peak: undefined, resident: undefined, limit: undefined },
          clients: { connected: 5, blocked: undefined, limit: undefined },
          persistence: { rdbOk: undefined, rdbUnsaved: undefined, aofOk: undefined },
        }),
      },
    })
    const text = await metrics.render()
    expect(text.match(/^keyward_upstream_memory_bytes\{.*/gm)).toEqual([
      'keyward_upstream_memory_bytes{upstream="main",kind="used"} 1000',
    ])
    expect(text.match(/^keyward_upstream_clients\{.*/gm)).toEqual([
      'keyward_upstream_clients{upstream="main",state="connected"} 5',
    ])
    expect(text).toContain('keyward_upstream_info{upstream="main",role="",version=""} 1\n')
    expect(text).not.toMatch(/^keyward_upstream_(uptime|persistence|rdb|replication)\w*\{/m)
  })

  it('nothing of a server that no probe has reached', async () => {
    await tell({
      health: { ok: false, reason: 'not connected', age: undefined, failures: 2, report: undefined, concerns: [] },
    })
    const text = await metrics.render()
    expect(text).toContain('keyward_upstream_healthy{upstream="main"} 0\n')
    expect(text).toContain('keyward_upstream_probe_failures_total{upstream="main"} 2\n')
    const found =
      /^keyward_upstream_(probe_age|ping|info|uptime|memory|clients|persistence|rdb|concerns|replication|connected)\w*\{/m
    expect(text).not.toMatch(found)
  })

  it('failovers, replicas and sentinels', async () => {
    const told = await tell({
      moves: { count: 3, lossy: 1, unproven: 2, took: 750 },
      topology: {
        kind: 'sentinel',
        sentinels: [
          { address: '10.0.0.1:26379', connected: true, names: '10.0.0.7:6379' },
          { address: '10.0.0.2:26379', connected: false, names: undefined },
        ],
      },
      replicas: [
        { address: '10.0.0.8:6379', usable: true, lag: 125, reads: 99 },
        { address: '10.0.0.9:6379', usable: false, lag: Number.POSITIVE_INFINITY, reads: 0 },
      ],
    })
    const move = (name: string) => told(`keyward_upstream_${name}{upstream="main"}`)
    expect(['moves_total', 'moves_lossy_total', 'moves_unproven_total'].map(move)).toEqual([3, 1, 2])
    expect(move('last_move_seconds')).toBe(0.75)
    const sentinel = (address: string) => told(`keyward_sentinel_connected{upstream="main",sentinel="${address}"}`)
    expect(['10.0.0.1:26379', '10.0.0.2:26379'].map(sentinel)).toEqual([1, 0])
    const replica = (name: string, address: string) =>
      told(`keyward_replica_${name}{upstream="main",replica="${address}"}`)
    expect(replica('lag_seconds', '10.0.0.8:6379')).toBe(0.125)
    expect(await metrics.render()).toContain(
      'keyward_replica_lag_seconds{upstream="main",replica="10.0.0.9:6379"} +Inf\n',
    )
    expect([replica('usable', '10.0.0.8:6379'), replica('usable', '10.0.0.9:6379')]).toEqual([1, 0])
    expect(replica('reads_total', '10.0.0.8:6379')).toBe(99)
  })

  it('no duration of a failover that never was', async () => {
    const told = await tell({})
    expect(told('keyward_upstream_moves_total{upstream="main"}')).toBe(0)
    expect(told('keyward_upstream_last_move_seconds{upstream="main"}')).toBeUndefined()
  })

  it('what waits on purpose, and what was refused', async () => {
    const told = await tell({ waits: 'writes', refused: { time: 4, memory: 5, breaker: 6 } })
    const suspended = (level: string) => told(`keyward_upstream_suspended{upstream="main",level="${level}"}`)
    expect(['writes', 'everything'].map(suspended)).toEqual([1, 0])
    const refused = (reason: string) => told(`keyward_upstream_refused_total{upstream="main",reason="${reason}"}`)
    expect(['time', 'memory', 'breaker'].map(refused)).toEqual([4, 5, 6])
  })

  it('nothing any more of one that is gone', async () => {
    await tell({ replicas: [{ address: '10.0.0.8:6379', usable: true, lag: 1, reads: 9 }] })
    source.process = { ...source.process, upstreams: [] }
    expect(await metrics.render()).not.toMatch(/upstream="main"|^keyward_(replica|sentinel)_\w+\{/m)
  })
})

describe('docs/operations.md', () => {
  const document = readFileSync(fileURLToPath(new URL('../../../docs/operations.md', import.meta.url)), 'utf8')

  it('names no metric that is not there, and all of the upstreams', async () => {
    const names = [...(await metrics.render()).matchAll(/^# TYPE (keyward_\w+)/gm)].map(([, name]) => name)
    const told = new Set([...document.matchAll(/keyward_\w+/g)].map(([name]) => name))
    expect([...told].filter((name) => !names.includes(name))).toEqual([])
    expect(names.filter((name) => /^keyward_(upstream|replica|sentinel)_/.test(name) && !told.has(name))).toEqual([])
  })
})

describe('scrapes', () => {
  it('repeat the counters instead of adding them up', async () => {
    source.process = { ...source.process, tenants: [{ name: 'acme', stats: stats({ bytesIn: 50 }) }] }
    await metrics.render()
    expect(value(await metrics.render(), 'keyward_received_bytes_total{tenant="acme"}')).toBe(50)
    source.process = { ...source.process, tenants: [{ name: 'beta', stats: stats({ bytesIn: 70 }) }] }
    const text = await metrics.render()
    expect(value(text, 'keyward_received_bytes_total{tenant="beta"}')).toBe(70)
    expect(value(text, 'keyward_received_bytes_total{tenant="acme"}')).toBeUndefined()
  })

  it('look at the process once', async () => {
    const before = source.scrapes
    await metrics.render()
    expect(source.scrapes).toBe(before + 1)
  })
})

describe('labels', () => {
  const tenants = Array.from({ length: 500 }, (_, i) => ({
    name: `t${i}`,
    stats: stats({ bytesIn: 1, requests: requests('list', 2), errors: new Map([['ARITY', 3]]) }),
  }))

  it('are bounded: tenants beyond metrics.tenants are one, and nothing is lost', async () => {
    source.process = { ...source.process, tenants: [{ name: '', stats: stats() }, ...tenants] }
    source.labels = 10
    const text = await metrics.render()
    expect(text.match(/^keyward_received_bytes_total\{/gm)).toHaveLength(12)
    expect(value(text, 'keyward_received_bytes_total{tenant="t9"}')).toBe(1)
    expect(value(text, 'keyward_received_bytes_total{tenant="t10"}')).toBeUndefined()
    expect(value(text, 'keyward_received_bytes_total{tenant="_other"}')).toBe(490)
    expect(value(text, 'keyward_requests_total{tenant="_other",family="list"}')).toBe(980)
    expect(value(text, 'keyward_errors_total{tenant="_other",code="ARITY"}')).toBe(1470)
  })

  it('follow a reload', async () => {
    source.labels = 0
    const text = await metrics.render()
    expect(text.match(/^keyward_received_bytes_total\{/gm)).toHaveLength(2)
    expect(value(text, 'keyward_received_bytes_total{tenant="_other"}')).toBe(500)
  })

  it('are escaped', async () => {
    source.process = {
      ...source.process,
      tenants: [{ name: 'a', stats: stats({ refusals: new Map([['a "b"\n\\c', 1]]) }) }],
    }
    source.labels = 10
    expect(await metrics.render()).toContain('reason="a \\"b\\"\\n\\\\c"} 1\n')
  })
})
