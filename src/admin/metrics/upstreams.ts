import { type Definition, ofUpstream, ofUpstreamBy } from './definition.ts'

/** Connections to the upstreams, what is subscribed there, and what was refused for want of them. */
export const UPSTREAM_METRICS: readonly Definition[] = [
  ofUpstream('keyward_upstream_up', 'gauge', '1: a connection is usable.', ({ usable }) => Number(usable)),
  ofUpstream(
    'keyward_upstream_reconnects_total',
    'counter',
    'Connections that were lost and replaced.',
    ({ reconnects }) => reconnects,
  ),
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
  ofUpstreamBy(
    'keyward_upstream_topics',
    'gauge',
    'kind',
    'Channels and patterns that are subscribed to upstream, once for any number of clients.',
    ({ node: { subscriber } }) => [
      ['channel', subscriber.channels],
      ['pattern', subscriber.patterns],
      ['shard', subscriber.shards],
    ],
  ),
  ofUpstream(
    'keyward_upstream_messages_total',
    'counter',
    'Messages that came from the upstream, each once for any number of clients.',
    ({ node }) => node.subscriber.messages,
  ),
  ofUpstream(
    'keyward_upstream_subscriber_reconnects_total',
    'counter',
    'How often all subscriptions had to be made again: messages of the meantime were lost.',
    ({ node }) => node.subscriber.reconnects,
  ),
  ofUpstream(
    'keyward_upstream_window_bytes',
    'gauge',
    'What may be sent and unanswered on one lane now: `fairness.window`, or more, while tenants share.',
    ({ fairness }) => fairness?.window,
  ),
  ofUpstream(
    'keyward_upstream_shared_rounds_total',
    'counter',
    'How often several tenants waited for one lane, and took turns.',
    ({ fairness }) => fairness?.rounds,
  ),
  ofUpstreamBy(
    'keyward_upstream_refused_total',
    'counter',
    'reason',
    'Requests answered UPSTREAMDOWN. time: `hold.time` was over; memory: `hold.memory` was full; breaker: it was open.',
    ({ refused }) => Object.entries(refused),
  ),
  ofUpstreamBy(
    'keyward_upstream_suspended',
    'gauge',
    'level',
    '1: writes, or everything, wait on purpose: a failover is under way, or an operator wants it.',
    ({ waits }) => (['writes', 'everything'] as const).map((level) => [level, Number(waits === level)]),
  ),
]
