import type { InvalidationsView, UpstreamView } from '../upstream-view.ts'
import { type Definition, flag, type Kind, seconds } from './definition.ts'

/** The connections that tell of writes to cached keys; of upstreams whose tenants cache nothing there is none. */
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
]

function ofFeed(
  name: string,
  kind: Kind,
  help: string,
  value: (feed: InvalidationsView) => number | undefined,
): Definition {
  const wanted = ({ invalidations }: UpstreamView) => (invalidations.wanted ? value(invalidations) : undefined)
  return {
    name: `keyward_upstream_invalidations_${name}`,
    help,
    kind,
    labels: ['upstream'],
    *samples({ view }) {
      for (const upstream of view.upstreams) yield [{ upstream: upstream.name }, wanted(upstream)]
    },
  }
}
