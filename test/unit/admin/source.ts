import type { AdminSource, ProcessView, StatsView } from '../../../src/admin/view.ts'
import { FAMILIES, LATENCY_BOUNDS } from '../../../src/client/stats.ts'

/** Counters of a tenant, all zero but for these. */
export function stats(some: Partial<StatsView> = {}): StatsView {
  return {
    clients: 0,
    requests: new Float64Array(FAMILIES.length),
    bytesIn: 0,
    bytesOut: 0,
    jobs: 0,
    scanExamined: 0,
    scanReturned: 0,
    pushes: 0,
    subscriptions: 0,
    errors: new Map(),
    refusals: new Map(),
    latency: new Float64Array(LATENCY_BOUNDS.length + 1),
    latencySum: 0,
    ...some,
  }
}

/** A process that does nothing, as the admin server sees it; its fields may be replaced between requests. */
export class FakeSource implements AdminSource {
  readiness = { ready: true, reason: 'ready' }
  labels = 100
  scrapes = 0
  process: ProcessView = {
    generation: 1,
    draining: false,
    connections: 0,
    tenants: [],
    upstreams: [],
    barrier: 0,
    running: 0,
    gates: { closed: 0, overruns: 0 },
    memory: { clients: 0, limit: 1024, cuts: 0 },
  }

  ready() {
    return this.readiness
  }

  view(): ProcessView {
    this.scrapes++
    return this.process
  }

  tenantLabels(): number {
    return this.labels
  }
}
