import { describe, expect, it } from 'vitest'
import { Metrics } from '../../../src/admin/metrics.ts'
import { FAMILIES, LATENCY_BOUNDS } from '../../../src/client/stats.ts'
import { FakeSource, stats } from './source.ts'

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
    source.process = { ...source.process, upstreams: [{ name: 'main', usable: false, reconnects: 9, node }] }
    const text = await metrics.render()
    expect(value(text, 'keyward_upstream_up{upstream="main"}')).toBe(0)
    expect(value(text, 'keyward_upstream_connections{upstream="main",kind="subscriber",state="ready"}')).toBe(1)
    expect(value(text, 'keyward_upstream_topics{upstream="main",kind="pattern"}')).toBe(5)
    expect(value(text, 'keyward_upstream_messages_total{upstream="main"}')).toBe(8)
    expect(value(text, 'keyward_upstream_subscriber_reconnects_total{upstream="main"}')).toBe(7)
    expect(value(text, 'keyward_upstream_reconnects_total{upstream="main"}')).toBe(9)
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
