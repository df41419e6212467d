import { Histogram, type Registry } from 'prom-client'
import { LATENCY_BOUNDS } from '../client/stats.ts'
import type { StatsView } from './view.ts'

interface HistogramLine {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/**
 * A Prometheus histogram whose buckets were counted elsewhere: observing every request through prom-client would cost
 * the hot path about as much as rewriting the request does.
 */
export class LatencyHistogram extends Histogram<'tenant' | 'le'> {
  private readonly read: () => ReadonlyMap<string, StatsView>

  constructor(name: string, help: string, registers: Registry[], read: () => ReadonlyMap<string, StatsView>) {
    super({ name, help, labelNames: ['tenant'], buckets: LATENCY_BOUNDS.map((bound) => bound / 1000), registers })
    this.read = read
  }

  /** What the registry prints. */
  async getForPromString(): Promise<object> {
    const { name, help, type } = this as unknown as { name: string; help: string; type: string }
    const values: HistogramLine[] = []
    for (const [tenant, stats] of this.read()) addLines(values, name, tenant, stats)
    return { name, help, type, values }
  }
}

function addLines(values: HistogramLine[], name: string, tenant: string, stats: StatsView): void {
  let count = 0
  for (let i = 0; i <= LATENCY_BOUNDS.length; i++) {
    count += stats.latency[i]
    const le = i < LATENCY_BOUNDS.length ? LATENCY_BOUNDS[i] / 1000 : '+Inf'
    values.push({ metricName: `${name}_bucket`, labels: { tenant, le }, value: count })
  }
  values.push({ metricName: `${name}_sum`, labels: { tenant }, value: stats.latencySum / 1000 })
  values.push({ metricName: `${name}_count`, labels: { tenant }, value: count })
}
