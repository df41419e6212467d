import type { InvalidationsView, UpstreamView } from '../upstream-view.ts'
import { type Definition, flag, type Kind, ofUpstream, seconds } from './definition.ts'

/** What near caches have to do with their upstreams; of upstreams whose tenants cache nothing there is nothing to tell. */
export const INVALIDATION_METRICS: readonly Definition[] = [
  ofFeed('up', 'gauge', '1: the server tells of writes. 0: nothing is cached.', ({ connected }) => flag(connected)),
  ofFeed(
    'prefixes',
    'gauge',
    'Of keys that the server tells of; 0: it tells of all keys, since there would be too many.',
    ({ prefixes }) => prefixes,
  ),
  ofFeed('keys_total', 'counter', 'Keys that it told of.', ({ invalidations }) => invalidations),
  ofFeed('flushes_total', 'counter', 'How often it said that all keys are gone.', ({ flushes }) => flushes),
  ofFeed(
    'reconnects_total',
    'counter',
    'How often the connection was lost: all that was cached is dropped then.',
    ({ reconnects }) => reconnects,
  ),
  ofFeed('delay_seconds', 'gauge', 'What the newest heartbeat took.', ({ delay }) => seconds(delay)),
  ofFeed('refusals_total', 'counter', 'How often the server refused to tell of writes.', ({ refusals }) => refusals),
  ofFeed(
    'refused',
    'gauge',
    '1: the server refuses to tell of writes; /upstreams says in which words.',
    ({ refusal }) => flag(refusal !== undefined),
  ),
  ofCaches(
    'cache_fetches',
    'gauge',
    'Requests of near caches that are under way.',
    ({ cacheFetches }) => cacheFetches.pending,
  ),
  ofCaches(
    'cache_fetches_refused_total',
    'counter',
    'Those that were not made: the server does not tell of writes to their keys.',
    ({ cacheFetches }) => cacheFetches.refused,
  ),
]

/** The connection that tells of writes to cached keys. */
function ofFeed(
  name: string,
  kind: Kind,
  help: string,
  value: (feed: InvalidationsView) => number | undefined,
): Definition {
  return ofCaches(`invalidations_${name}`, kind, help, ({ invalidations }) => value(invalidations))
}

function ofCaches(
  name: string,
  kind: Kind,
  help: string,
  value: (upstream: UpstreamView) => number | undefined,
): Definition {
  return ofUpstream(`keyward_upstream_${name}`, kind, help, (upstream) =>
    upstream.invalidations.wanted ? value(upstream) : undefined,
  )
}
