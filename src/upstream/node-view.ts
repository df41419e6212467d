import type { Connection } from './connection.ts'
import { Control } from './control.ts'
import type { LaneSet } from './lane-set.ts'
import type { Pins } from './pins.ts'
import type { Subscribers } from './subscribers.ts'

/** Numbers of one node, without Keyward's own questions to it, for metrics and for tests that look whether every place is empty. */
export interface NodeView {
  readonly connections: { lane: number; bulk: number; pin: number; connecting: number }
  readonly places: { sent: number; scheduled: number; abandoned: number; held: number }
  readonly bytes: { sent: number; held: number }
  /** Milliseconds for which the oldest held request has waited. */
  readonly oldest: number
  readonly pins: ReturnType<Pins['view']>
  readonly subscriber: ReturnType<Subscribers['view']>
}

/** `now`: clock milliseconds. Walks all queues: for a scrape, not for the hot path. */
export function viewNode(
  connections: Iterable<Connection>,
  sets: Iterable<LaneSet>,
  pins: Pins,
  subscribers: Subscribers,
  now: number,
): NodeView {
  const count = { lane: 0, bulk: 0, pin: 0, connecting: 0 }
  const places = { sent: 0, scheduled: 0, abandoned: 0, held: 0 }
  const bytes = { sent: 0, held: 0 }
  for (const { kind, queue, ready } of connections) {
    count[ready ? kind : 'connecting']++
    bytes.sent += queue.inFlight + queue.waiting
    for (const x of queue.all()) {
      // Keyward's own questions (probes, PING) are nobody's requests.
      if (x.client instanceof Control) bytes.sent -= x.size
      else if (x.place === 'scheduled' || x.place === 'abandoned') places[x.place]++
      else places.sent++
    }
  }
  let oldest = 0
  for (const { held } of sets) {
    places.held += held.count
    bytes.held += held.bytes
    if (held.oldest !== undefined) oldest = Math.max(oldest, now - held.oldest)
  }
  return { connections: count, places, bytes, oldest, pins: pins.view(), subscriber: subscribers.view() }
}
