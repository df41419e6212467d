/**
 * Requests of one node that got UPSTREAMDOWN, by why they did not wait, or wait on. Those of clients that have left are
 * dropped, not refused. Plain counters for metrics.
 */
export class Refusals {
  /** hold.time was over. */
  time = 0
  /** hold.memory was full. */
  memory = 0
  /** The breaker was open, and the trouble older than what may be waited for. */
  breaker = 0
}
