/**
 * Commands that are not compared between two databases of one server, because they see or change more than one
 * database. commands.test.ts leaves them out.
 */

/** Their generated lists run in whole.test.ts, on servers of their own. */
export const WHOLE: ReadonlySet<string> = new Set(
  `client|pause client|unblock client|unpause copy dbsize flushall flushdb keys latency|doctor latency|graph latency|help latency|histogram
   latency|history latency|latest latency|reset move publish slowlog|get slowlog|help slowlog|len slowlog|reset pubsub|channels pubsub|help
   pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub randomkey scan select spublish`.split(/\s+/),
)

/** They too, though their lists also run beside the others. */
export const TWICE: ReadonlySet<string> = new Set(['copy', 'select'])

/** One request is not one reply, or it looks at other connections: scenarios, in pubsub.test.ts and views.test.ts. */
export const SCENARIOS: ReadonlySet<string> = new Set(
  `client|kill client|tracking config|set monitor psubscribe punsubscribe ssubscribe subscribe sunsubscribe unsubscribe`.split(
    /\s+/,
  ),
)
