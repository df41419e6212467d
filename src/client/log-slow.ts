import type { Exchange } from '../commands/exchange.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import { MOST_ARGUMENTS, MOST_BYTES, type SentArguments, sentArguments } from './sent-arguments.ts'

/**
 * x, of `client`, took long from being read to its reply: into the log, if it took as long from being sent. What
 * waited for the barrier, for a pause or for an upstream that was away was not slow; what blocks is meant to take long.
 */
export function logIfSlow(client: DispatchClient, x: Exchange, env: ClientEnv): void {
  const { session, stats } = client
  const { now } = env.clock
  const took = now - x.since
  if (x.since === 0 || x.blocks || took < stats.slowerThan) return
  // A member of a transaction was only queued.
  if (x.inTransaction && x.spec.name !== 'exec') return
  if (!stats.slowlog.due(now) || !env.slowEntries.take(now)) return
  const sent = sentArguments(x)
  if (sent === undefined) return
  stats.slowlog.add({
    time: Math.floor(env.server.now() / 1000),
    microseconds: Math.round(took * 1000),
    args: shortened(sent),
    address: session.address,
    name: session.name,
  })
}

/** In Redis' words (slowlog.c): the last argument shown says how many are not, a long one how many bytes. */
function shortened({ count, heads, lengths }: SentArguments): readonly Buffer[] {
  const args = heads.map((head, i) => {
    const more = lengths[i] - MOST_BYTES
    return more > 0 ? Buffer.concat([head, Buffer.from(`... (${more} more bytes)`)]) : head
  })
  if (count > MOST_ARGUMENTS) {
    args[MOST_ARGUMENTS - 1] = Buffer.from(`... (${count - MOST_ARGUMENTS + 1} more arguments)`)
  }
  return args
}
