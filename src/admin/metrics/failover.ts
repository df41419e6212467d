import { type Definition, flag, ofUpstream, ofUpstreamBy, seconds } from './definition.ts'

/** Who follows whom: failovers, replicas and sentinels. Replicas are at most 16 for each upstream, sentinels at most 32. */
export const FAILOVER_METRICS: readonly Definition[] = [
  ofUpstream(
    'keyward_upstream_replication_offset_bytes',
    'gauge',
    'How much of the replication stream the data of the server contains.',
    ({ health }) => health.report?.replication.offset,
  ),
  ofUpstream(
    'keyward_upstream_connected_replicas',
    'gauge',
    'Replicas that the server counts, read by us or not.',
    ({ health }) => health.report?.replication.connected,
  ),
  ofUpstreamBy(
    'keyward_replica_lag_seconds',
    'gauge',
    'replica',
    'How old the data of a replica can be; +Inf: not known.',
    ({ replicas }) => replicas.map(({ address, lag }) => [address, seconds(lag)]),
  ),
  ofUpstreamBy('keyward_replica_usable', 'gauge', 'replica', '1: a connection to it is usable.', ({ replicas }) =>
    replicas.map(({ address, usable }) => [address, flag(usable)]),
  ),
  ofUpstreamBy('keyward_replica_reads_total', 'counter', 'replica', 'Requests that went to it.', ({ replicas }) =>
    replicas.map(({ address, reads }) => [address, reads]),
  ),
  ofUpstream(
    'keyward_upstream_moves_total',
    'counter',
    'How often the primary became another server, and was followed.',
    ({ moves }) => moves.count,
  ),
  ofUpstream(
    'keyward_upstream_moves_lossy_total',
    'counter',
    'Those after which the new primary lacked acknowledged writes.',
    ({ moves }) => moves.lossy,
  ),
  ofUpstream(
    'keyward_upstream_moves_unproven_total',
    'counter',
    'Those of which that is not known, because the old primary was gone at once.',
    ({ moves }) => moves.unproven,
  ),
  ofUpstream(
    'keyward_upstream_last_move_seconds',
    'gauge',
    'From the first sign of the newest failover until the new primary could be used.',
    ({ moves }) => (moves.count === 0 ? undefined : seconds(moves.took)),
  ),
  ofUpstreamBy('keyward_sentinel_connected', 'gauge', 'sentinel', '1: it answers.', ({ topology }) =>
    topology.sentinels.map(({ address, connected }) => [address, flag(connected)]),
  ),
]
