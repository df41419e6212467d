import type { Definition } from './definition.ts'

/** What waits, and where; upstream="" is before it is known which upstream it goes to. */
export const PLACE_METRICS: readonly Definition[] = [
  {
    name: 'keyward_queue_length',
    help: 'Requests by place; place="pin": clients that wait for a dedicated connection.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      yield [{ place: 'barrier', upstream: '' }, view.barrier]
      yield [{ place: 'running', upstream: '' }, view.running]
      yield [{ place: 'delayed', upstream: '' }, view.delayed]
      for (const { name: upstream, node } of view.upstreams) {
        for (const [place, length] of Object.entries(node.places)) yield [{ place, upstream }, length]
        yield [{ place: 'pin', upstream }, node.pins.waiting]
      }
    },
  },
  {
    name: 'keyward_queue_oldest_seconds',
    help: 'For how long the oldest one in a place has waited.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ place: 'held', upstream }, node.oldest / 1000]
        yield [{ place: 'pin', upstream }, node.pins.oldest / 1000]
      }
    },
  },
  {
    name: 'keyward_memory_bytes',
    help: 'Bytes in buffers by place. clients: unanswered requests and unread replies, which `memory` limits.',
    kind: 'gauge',
    labels: ['place', 'upstream'],
    *samples({ view }) {
      yield [{ place: 'clients', upstream: '' }, view.memory.clients]
      for (const { name: upstream, node } of view.upstreams) {
        yield [{ place: 'sent', upstream }, node.bytes.sent]
        yield [{ place: 'held', upstream }, node.bytes.held]
      }
    },
  },
]
