import { FAMILIES } from '../../client/stats.ts'
import type { StatsView } from '../view.ts'
import type { Definition, Kind } from './definition.ts'

/** What each tenant does. */
export const TENANT_METRICS: readonly Definition[] = [
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
  ofTenant('keyward_tracking_clients', 'gauge', 'Clients with CLIENT TRACKING on.', (stats) => stats.trackers),
  ofTenant(
    'keyward_tracking_keys',
    'gauge',
    'Keys that they have read and not been told of since, counted for each of them.',
    (stats) => stats.trackedKeys,
  ),
  ofTenant(
    'keyward_tracking_evicted_keys_total',
    'counter',
    'Those that clients were told to drop because `tracking.maxKeys` was reached.',
    (stats) => stats.trackingEvicted,
  ),
  ofTenant(
    'keyward_tracking_invalidations_total',
    'counter',
    'What those clients, or those they redirect to, were told.',
    (stats) => stats.invalidations,
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
]

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
