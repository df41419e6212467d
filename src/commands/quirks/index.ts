import type { Quirk } from '../spec.ts'
import { quirks as acl } from './acl.ts'
import { quirks as blocking } from './blocking.ts'
import { quirks as cache } from './cache.ts'
import { quirks as client } from './client.ts'
import { quirks as clientKill } from './client-kill.ts'
import { quirks as clientPause } from './client-pause.ts'
import { quirks as clientTracking } from './client-tracking.ts'
import { quirks as clientUnblock } from './client-unblock.ts'
import { quirks as cluster } from './cluster.ts'
import { quirks as command } from './command.ts'
import { quirks as config } from './config.ts'
import { quirks as connection } from './connection.ts'
import { quirks as copy } from './copy.ts'
import { quirks as geo } from './geo.ts'
import { quirks as info } from './info.ts'
import { quirks as keysInReply } from './keys-in-reply.ts'
import { quirks as keyspace } from './keyspace.ts'
import { quirks as latency } from './latency.ts'
import { quirks as migrate } from './migrate.ts'
import { quirks as monitor } from './monitor.ts'
import { quirks as move } from './move.ts'
import { quirks as pubsub } from './pubsub.ts'
import { quirks as scripting } from './scripting.ts'
import { quirks as server } from './server.ts'
import { quirks as set } from './set.ts'
import { quirks as slowlog } from './slowlog.ts'
import { quirks as sort } from './sort.ts'
import { quirks as streams } from './streams.ts'
import { quirks as throttle } from './throttle.ts'
import { quirks as transactions } from './transactions.ts'

/** A new group of quirks is a file beside this one and a line here. No name may stand in two groups. */
const GROUPS: readonly Readonly<Record<string, Quirk>>[] = [
  acl,
  blocking,
  cache,
  client,
  clientKill,
  clientPause,
  clientTracking,
  clientUnblock,
  cluster,
  command,
  config,
  connection,
  copy,
  geo,
  info,
  latency,
  keyspace,
  keysInReply,
  migrate,
  move,
  monitor,
  pubsub,
  scripting,
  server,
  set,
  slowlog,
  sort,
  streams,
  throttle,
  transactions,
]

/** By command or "container|sub". */
export const QUIRKS: ReadonlyMap<string, Quirk> = merge(GROUPS)

function merge(groups: readonly Readonly<Record<string, Quirk>>[]): Map<string, Quirk> {
  const all = new Map<string, Quirk>()
  for (const group of groups) {
    for (const [name, quirk] of Object.entries(group)) {
      if (all.has(name)) throw new Error(`two groups of quirks for ${name}`)
      all.set(name, quirk)
    }
  }
  return all
}
