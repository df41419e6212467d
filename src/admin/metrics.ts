import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { FAMILIES } from '../client/stats.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import { labelled } from './tenant-labels.ts'
import type { AdminSource, ProcessView, StatsView, UpstreamView } from './view.ts'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

/** One scrape: the process' numbers, read once for all metrics of it. */
interface Scrape {
  readonly view: ProcessView
  readonly tenants: ReadonlyMap<string, StatsView>
  readonly ready: boolean
}

/** Before the first scrape. */
const NOTHING: ProcessView = {
  generation: 0,
  draining: false,
  connections: 0,
  tenants: [],
  upstreams: [],
  barrier: 0,
  running: 0,
  gates: { closed: 0, overruns: 0 },
  memory: { clients: 0, limit: 0, cuts: 0 },
}

interface Definition {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  readonly labels: readonly string[]
  samples(scrape: Scrape): Iterable<Sample>
}

/** All of /metrics. Nothing is counted here: plain counters of the process are read when somebody scrapes. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  private readonly registry = new Registry()
  private readonly source: AdminSource
  private scrape: Scrape = { view: NOTHING, tenants: new Map(), ready: false }

  constructor(source: AdminSource, version: string) {
    this.source = source
    new Gauge({
      name: 'keyward_build_info',
      help: 'Always 1.',
      labelNames: ['version', 'node'],
      registers: [this.registry],
    }).set({ version, node: process.version }, 1)
    for (const definition of DEFINITIONS) this.define(definition)
    new LatencyHistogram(
      'keyward_request_duration_seconds',
      'From reading a request to having its reply.',
      [this.registry],
      () => this.scrape.tenants,
    )
    collectDefaultMetrics({ register: this.registry })
  }

  /** The text that Prometheus reads. */
  render(): Promise<string> {
    this.scrape = this.read()
    return this.registry.metrics()
  }

  private read(): Scrape {
    const view = this.source.view()
    return { view, tenants: labelled(view.tenants, this.source.tenantLabels()), ready: this.source.ready().ready }
  }

  private define({ name, help, kind, labels, samples }: Definition): void {
    const config = { name, help, labelNames: [...labels], registers: [this.registry] }
    if (kind === 'counter') {
      const counter = new Counter({
        ...config,
        collect: () => {
          counter.reset()
          for (const [at, value] of samples(this.scrape)) counter.inc(at, value)
        },
      })
      return
    }
    const gauge = new Gauge({
      ...config,
      collect: () => {
        gauge.reset()
        for (const [at, value] of samples(this.scrape)) gauge.set(at, value)
      },
    })
  }
}

const DEFINITIONS: readonly Definition[] = [
  ofProcess('keyward_ready', 'gauge', '1: /readyz says yes.', ({ ready }) => Number(ready)),
  ofProcess('keyward_draining', 'gauge', '1: shutting down.', ({ view }) => Number(view.draining)),
  ofProcess('keyward_config_generation', 'gauge', 'Configurations since the start.', ({ view }) => view.generation),
  ofProcess(
    'keyward_client_connections',
    'gauge',
    'Client connections, logged in or not.',
    ({ view }) => view.connections,
  ),
  ofTenant('keyward_clients', 'gauge', 'Logged-in clients.', (stats) => stats.clients),
  ofTenant('keyward_received_bytes_total', 'counter', 'Bytes from clients.', (stats) => stats.bytesIn),
  ofTenant('keyward_sent_bytes_total', 'counter', 'Bytes to clients.', (stats) => stats.bytesOut),
  ofTenant('keyward_jobs_total', 'counter', 'Requests done by many upstream calls.', (stats) => stats.jobs),
  ofTenant(
    'keyward_scan_examined_keys_total',
    'counter',
    'Keys that the upstream looked at for SCAN, KEYS, DBSIZE, FLUSHDB and the like.',
    (stats) => stats.scanExamined,
  ),
  ofTenant(
    'keyward_scan_returned_keys_total',
    'counter',
    'Those of them that were the tenant’s; the rest was useless work.',
    (stats) => stats.scanReturned,
  ),
  ofTenant('keyward_pushes_total', 'counter', 'Messages that answer no request.', (stats) => stats.pushes),
  ofTenant(
    'keyward_subscriptions',
    'gauge',
    'Channels and patterns that clients are subscribed to, counted for each client.',
    (stats) => stats.subscriptions,
  ),
  ofProcess(
    'keyward_gates_closed',
    'gauge',
    'Gates that hold requests back: FLUSHDB under way, CLIENT PAUSE.',
    ({ view }) => view.gates.closed,
  ),
  ofProcess(
    'keyward_gate_overruns_total',
    'counter',
    'FLUSHDBs that took longer, or held back more, than `hold` allows.',
    ({ view }) => view.gates.overruns,
  ),
  {
    name: 'keyward_requests_total',
    help: 'Requests by family of commands.',
    kind: 'counter',
    labels: ['tenant', 'family'],
    *samples({ tenants }) {
      for (const [tenant, { requests }] of tenants) {
        for (let i = 0; i < FAMILIES.length; i++)
          if (requests[i] > 0) yield [{ tenant, family: FAMILIES[i] }, requests[i]]
      }
    },
  },
  byKey(
    'keyward_errors_total',
    "Keyward's own errors; docs/errors.md explains each code.",
    'code',
    (stats) => stats.errors,
  ),
  byKey('keyward_refusals_total', 'Commands that are not open for tenants.', 'reason', (stats) => stats.refusals),
  {
    name: 'keyward_upstream_up',
    help: '1: a connection is usable.',
    kind: 'gauge',
    labels: ['upstream'],
    *samples({ view }) {
      for (const upstream of view.upstreams) yield [{ upstream: upstream.name }, Number(upstream.usable)]
    },
  },
  {
    name: 'keyward_upstream_reconnects_total',
    help: 'Connections that were lost and replaced.',
    kind: 'counter',
    labels: ['upstream'],
    *samples({ view }) {
      for (const upstream of view.upstreams) yield [{ upstream: upstream.name }, upstream.reconnects]
    },
  },
  {
    name: 'keyward_upstream_connections',
    help: 'Connections to the upstream. lane, bulk: shared. pin: dedicated. subscriber: carries all subscriptions.',
    kind: 'gauge',
    labels: ['upstream', 'kind', 'state'],
    *samples({ view }) {
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ upstream, kind: 'lane', state: 'ready' }, node.connections.lane]
        yield [{ upstream, kind: 'bulk', state: 'ready' }, node.connections.bulk]
        yield [{ upstream, kind: 'pin', state: 'idle' }, node.pins.idle]
        yield [{ upstream, kind: 'pin', state: 'blocked' }, node.pins.blocked]
        yield [{ upstream, kind: 'pin', state: 'transaction' }, node.pins.transaction]
        yield [{ upstream, kind: 'subscriber', state: 'ready' }, node.subscriber.connections]
        yield [{ upstream, kind: 'any', state: 'connecting' }, node.connections.connecting]
      }
    },
  },
  {
    name: 'keyward_upstream_topics',
    help: 'Channels and patterns that are subscribed to upstream, once for any number of clients.',
    kind: 'gauge',
    labels: ['upstream', 'kind'],
    *samples({ view }) {
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ upstream, kind: 'channel' }, node.subscriber.channels]
        yield [{ upstream, kind: 'pattern' }, node.subscriber.patterns]
        yield [{ upstream, kind: 'shard' }, node.subscriber.shards]
      }
    },
  },
  ofUpstream(
    'keyward_upstream_messages_total',
    'Messages that came from the upstream, each once for any number of clients.',
    ({ node }) => node.subscriber.messages,
  ),
  ofUpstream(
    'keyward_upstream_subscriber_reconnects_total',
    'How often all subscriptions had to be made again: messages of the meantime were lost.',
    ({ node }) => node.subscriber.reconnects,
  ),
  {
    name: 'keyward_queue_length',
    help: 'Requests by place; place="pin": clients that wait for a dedicated connection.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      yield [{ place: 'barrier', upstream: '' }, view.barrier]
      yield [{ place: 'running', upstream: '' }, view.running]
      for (const { name: upstream, node } of view.upstreams) {
        for (const [place, length] of Object.entries(node.places)) yield [{ place, upstream }, length]
        yield [{ place: 'pin', upstream }, node.pins.waiting]
      }
    },
  },
  {
    name: 'keyward_queue_oldest_seconds',
    help: 'For how long the oldest one in a place has waited.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ place: 'held', upstream }, node.oldest / 1000]
        yield [{ place: 'pin', upstream }, node.pins.oldest / 1000]
      }
    },
  },
  {
    name: 'keyward_memory_bytes',
    help: 'Bytes in buffers by place. clients: unanswered requests and unread replies, which `memory` limits.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      yield [{ place: 'clients', upstream: '' }, view.memory.clients]
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ place: 'sent', upstream }, node.bytes.sent]
        yield [{ place: 'held', upstream }, node.bytes.held]
      }
    },
  },
  ofProcess('keyward_memory_limit_bytes', 'gauge', '`memory` of the configuration.', ({ view }) => view.memory.limit),
  ofProcess(
    'keyward_memory_cuts_total',
    'counter',
    'Clients cut to stay within `memory`.',
    ({ view }) => view.memory.cuts,
  ),
]

type Kind = Definition['kind']

function ofProcess(name: string, kind: Kind, help: string, value: (scrape: Scrape) => number): Definition {
  return { name, help, kind, labels: [], samples: (scrape) => [[{}, value(scrape)]] }
}

function ofTenant(name: string, kind: Kind, help: string, value: (stats: StatsView) => number): Definition {
  return {
    name,
    help,
    kind,
    labels: ['tenant'],
    *samples({ tenants }) {
      for (const [label, stats] of tenants) yield [{ tenant: label }, value(stats)]
    },
  }
}

function ofUpstream(name: string, help: string, value: (upstream: UpstreamView) => number): Definition {
  return {
    name,
    help,
    kind: 'counter',
    labels: ['upstream'],
    *samples({ view }) {
      for (const upstream of view.upstreams) yield [{ upstream: upstream.name }, value(upstream)]
    },
  }
}

function byKey(
  name: string,
  help: string,
  key: string,
  counts: (stats: StatsView) => ReadonlyMap<string, number>,
): Definition {
  return {
    name,
    help,
    kind: 'counter',
    labels: ['tenant', key],
    *samples({ tenants }) {
      for (const [label, stats] of tenants) {
        for (const [value, count] of counts(stats)) yield [{ tenant: label, [key]: value }, count]
      }
    },
  }
}
