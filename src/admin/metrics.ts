import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { LatencyHistogram } from './latency-histogram.ts'
import { CACHE_METRICS } from './metrics/cache.ts'
import { cacheNumbers } from './metrics/cache-numbers.ts'
import type { Definition, Scrape } from './metrics/definition.ts'
import { FAILOVER_METRICS } from './metrics/failover.ts'
import { HEALTH_METRICS } from './metrics/health.ts'
import { INVALIDATION_METRICS } from './metrics/invalidations.ts'
import { limitNumbers } from './metrics/limit-numbers.ts'
import { LIMIT_METRICS } from './metrics/limits.ts'
import { PLACE_METRICS } from './metrics/places.ts'
import { PROCESS_METRICS } from './metrics/process.ts'
import { SCRIPT_METRICS } from './metrics/scripts.ts'
import { TENANT_METRICS } from './metrics/tenants.ts'
import { TTL_METRICS } from './metrics/ttl.ts'
import { ttlNumbers } from './metrics/ttl-numbers.ts'
import { UPSTREAM_METRICS } from './metrics/upstreams.ts'
import { labelled, labels } from './tenant-labels.ts'
import type { AdminSource, ProcessView } from './view.ts'

/** Before the first scrape. */
const NOTHING: ProcessView = {
  generation: 0,
  draining: false,
  connections: 0,
  tenants: [],
  upstreams: [],
  barrier: 0,
  running: 0,
  delayed: 0,
  limits: [],
  leases: { calls: 0, failures: 0 },
  caches: [],
  scripts: { texts: 0, bytes: 0, prepared: 0, notRun: 0 },
  ttl: [],
  gates: { closed: 0, overruns: 0 },
  memory: { clients: 0, limit: 0, cuts: 0 },
}

const DEFINITIONS: readonly Definition[] = [
  ...PROCESS_METRICS,
  ...TENANT_METRICS,
  ...LIMIT_METRICS,
  ...CACHE_METRICS,
  ...TTL_METRICS,
  ...SCRIPT_METRICS,
  ...PLACE_METRICS,
  ...UPSTREAM_METRICS,
  ...INVALIDATION_METRICS,
  ...HEALTH_METRICS,
  ...FAILOVER_METRICS,
]

/** All of /metrics. Nothing is counted here: plain counters of the process are read when somebody scrapes. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  private readonly registry = new Registry()
  private readonly source: AdminSource
  private scrape: Scrape = { view: NOTHING, tenants: new Map(), limits: [], caches: [], ttl: [], ready: false }

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
    const known = labels(view.tenants, this.source.tenantLabels())
    return {
      view,
      tenants: labelled(view.tenants, known),
      limits: limitNumbers(view.limits, known),
      caches: cacheNumbers(view.caches, known),
      ttl: ttlNumbers(view.ttl, known),
      ready: this.source.ready().ready,
    }
  }

  private define({ name, help, kind, labels, samples }: Definition): void {
    const config = { name, help, labelNames: [...labels], registers: [this.registry] }
    if (kind === 'counter') {
      const counter = new Counter({
        ...config,
        collect: () => {
          counter.reset()
          for (const [at, value] of samples(this.scrape)) if (value !== undefined) counter.inc(at, value)
        },
      })
      return
    }
    const gauge = new Gauge({
      ...config,
      collect: () => {
        gauge.reset()
        for (const [at, value] of samples(this.scrape)) if (value !== undefined) gauge.set(at, value)
      },
    })
  }
}
