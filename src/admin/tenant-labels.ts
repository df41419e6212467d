import type { StatsView, TenantView } from './view.ts'

/** The label of all tenants beyond `metrics.tenants`. */
export const OTHER = '_other'
/** The label of clients that are not logged in. */
export const NOBODY = '_none'

/**
 * The label of each tenant: its name for the first `most`, one for all others together, so that the number of time series does
 * not follow the number of tenants.
 */
export function labels(tenants: readonly Pick<TenantView, 'name'>[], most: number): ReadonlyMap<string, string> {
  const result = new Map<string, string>()
  let named = 0
  for (const { name } of tenants) {
    if (name === '') result.set(name, NOBODY)
    else result.set(name, ++named <= most ? name : OTHER)
  }
  return result
}

/** The tenants as metrics show them: those of one label added up. */
export function labelled(
  tenants: readonly TenantView[],
  labels: ReadonlyMap<string, string>,
): ReadonlyMap<string, StatsView> {
  const result = new Map<string, StatsView>()
  for (const { name, stats } of tenants) merge(result, labels.get(name) ?? OTHER, stats)
  return result
}

function merge(result: Map<string, StatsView>, label: string, stats: StatsView): void {
  const before = result.get(label)
  result.set(label, before === undefined ? stats : sum(before, stats))
}

function sum(a: StatsView, b: StatsView): StatsView {
  return {
    clients: a.clients + b.clients,
    requests: sumArrays(a.requests, b.requests),
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    jobs: a.jobs + b.jobs,
    scanExamined: a.scanExamined + b.scanExamined,
    scanReturned: a.scanReturned + b.scanReturned,
    pushes: a.pushes + b.pushes,
    subscriptions: a.subscriptions + b.subscriptions,
    trackers: a.trackers + b.trackers,
    invalidations: a.invalidations + b.invalidations,
    trackedKeys: a.trackedKeys + b.trackedKeys,
    trackingEvicted: a.trackingEvicted + b.trackingEvicted,
    errors: sumMaps(a.errors, b.errors),
    refusals: sumMaps(a.refusals, b.refusals),
    latency: sumArrays(a.latency, b.latency),
    latencySum: a.latencySum + b.latencySum,
  }
}

function sumArrays(a: ArrayLike<number>, b: ArrayLike<number>): ArrayLike<number> {
  return Array.from(a, (count, i) => count + b[i])
}

function sumMaps(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const result = new Map(a)
  for (const [key, count] of b) result.set(key, (result.get(key) ?? 0) + count)
  return result
}
