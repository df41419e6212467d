import { type Definition, flag, ofUpstream, ofUpstreamBy, seconds } from './definition.ts'

/**
 * How the servers are: what the breaker thinks of them, and what the newest good probe found. The latter stays while a
 * server is away, and keyward_upstream_probe_age_seconds grows.
 */
export const HEALTH_METRICS: readonly Definition[] = [
  ofUpstreamBy('keyward_upstream_breaker_state', 'gauge', 'state', '1: the breaker is in this state.', ({ breaker }) =>
    (['closed', 'open', 'half-open'] as const).map((state) => [state, Number(breaker.state === state)]),
  ),
  ofUpstream(
    'keyward_upstream_breaker_opened_total',
    'counter',
    'How often the breaker opened; a failed try to close it does not count.',
    ({ breaker }) => breaker.openedTimes,
  ),
  ofUpstream(
    'keyward_upstream_breaker_error_ratio',
    'gauge',
    'Share of failures, 0 to 1, in the window of the breaker; not counted on while it is open.',
    ({ breaker }) => breaker.rate,
  ),
  ofUpstream('keyward_upstream_breaker_open_seconds', 'gauge', 'Since it opened; 0: it is closed.', ({ breaker }) =>
    seconds(breaker.openFor),
  ),
  ofUpstream(
    'keyward_upstream_healthy',
    'gauge',
    '1: a probe has succeeded lately, and the server is not loading its data.',
    ({ health }) => Number(health.ok),
  ),
  ofUpstream('keyward_upstream_probe_age_seconds', 'gauge', 'Since the newest good probe.', ({ health }) =>
    seconds(health.age),
  ),
  ofUpstream(
    'keyward_upstream_probe_failures_total',
    'counter',
    'Probes that were not answered, or could not be sent.',
    ({ health }) => health.failures,
  ),
  ofUpstream('keyward_upstream_ping_seconds', 'gauge', 'What PING took.', ({ health }) => seconds(health.report?.ping)),
  {
    name: 'keyward_upstream_info',
    help: 'Always 1. role: in the words of the server.',
    kind: 'gauge',
    labels: ['upstream', 'role', 'version'],
    *samples({ view }) {
      for (const { name: upstream, health } of view.upstreams) {
        if (health.report === undefined) continue
        // An empty label is one that is not there.
        const { version = '', replication } = health.report
        yield [{ upstream, role: replication.role ?? '', version }, 1]
      }
    },
  },
  ofUpstream('keyward_upstream_uptime_seconds', 'gauge', 'Since the server was started.', ({ health }) => {
    return health.report?.uptime
  }),
  ofUpstreamBy(
    'keyward_upstream_memory_bytes',
    'gauge',
    'kind',
    'Memory of the server. limit: its maxmemory, if it has one.',
    ({ health }) => entries(health.report?.memory, ['used', 'peak', 'resident', 'limit']),
  ),
  ofUpstreamBy(
    'keyward_upstream_clients',
    'gauge',
    'state',
    'Clients of the server, of which our connections are some. limit: its maxclients.',
    ({ health }) => entries(health.report?.clients, ['connected', 'blocked', 'limit']),
  ),
  ofUpstreamBy(
    'keyward_upstream_persistence_ok',
    'gauge',
    'kind',
    '0: the last RDB save, or the last write to the AOF, failed.',
    ({ health: { report } }) => [
      ['rdb', flag(report?.persistence.rdbOk)],
      ['aof', flag(report?.persistence.aofOk)],
    ],
  ),
  ofUpstream(
    'keyward_upstream_rdb_unsaved_changes',
    'gauge',
    'Changes since the last RDB file.',
    ({ health }) => health.report?.persistence.rdbUnsaved,
  ),
  ofUpstream(
    'keyward_upstream_concerns',
    'gauge',
    'Things that a person should know of although the server answers; /upstreams says which.',
    ({ health }) => (health.report === undefined ? undefined : health.concerns.length),
  ),
]

function entries<K extends string>(
  numbers: Readonly<Record<K, number | undefined>> | undefined,
  keys: readonly K[],
): (readonly [K, number | undefined])[] {
  return numbers === undefined ? [] : keys.map((key) => [key, numbers[key]])
}
