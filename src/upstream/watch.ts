import type { Connection } from './connection.ts'
import type { Control } from './control.ts'
import type { UpstreamOptions } from './options.ts'
import type { Refusals } from './refusals.ts'
import { checkTimeOuts } from './time-outs.ts'

/** Milliseconds between two looks. */
export const TICK = 100

/** What the watch needs of its node. */
export interface WatchHost {
  readonly options: Pick<UpstreamOptions, 'timeouts' | 'keepAlive'>
  readonly holdTime: number
  readonly refusals: Refusals
}

/** What was seen of all connections: `late`, one of them did not answer in time; `heard`, one has since the last look. */
export interface Seen {
  late: boolean
  heard: boolean
}

/**
 * Ten times a second: gives up on what takes too long, keeps idle lanes alive, and closes what is retired and done. `opened`:
 * connections, and the clock time since when there is each of them. `now`: clock time.
 */
export class Watch {
  private readonly host: WatchHost
  private readonly control: Control

  constructor(host: WatchHost, control: Control) {
    this.host = host
    this.control = control
  }

  look(opened: ReadonlyMap<Connection, { readonly since: number }>, now: number): Seen {
    const seen: Seen = { late: false, heard: false }
    const witness = witnessOf(opened.keys())
    for (const [connection, { since }] of opened) {
      if (connection.ready) {
        if (this.inspect(connection, connection === witness, now)) seen.late = true
        if (now - connection.lastBytesAt <= TICK) seen.heard = true
      } else if (now - since > this.host.options.timeouts.connect) connection.close('timed out while connecting')
    }
    return seen
  }

  /** True: it does not answer in time. */
  private inspect(connection: Connection, stays: boolean, now: number): boolean {
    const { holdTime, options, refusals } = this.host
    const { request } = options.timeouts
    if (connection.queue.head !== undefined) return checkTimeOuts(connection, now, request, holdTime, refusals)
    if (connection.holder !== undefined) return false
    if (connection.retired && !stays) connection.close('retired')
    // Not on a pin that is lent: inside MULTI the PING would be queued.
    else if (now - connection.lastBytesAt > options.keepAlive) {
      this.control.ask(connection, ['PING'], now, request, () => undefined)
    }
    return false
  }
}

/**
 * The lane that stays, though it is retired, as long as a pin is lent: what blocks there can only be ended through another
 * connection to the same server. undefined: none has to.
 */
function witnessOf(connections: Iterable<Connection>): Connection | undefined {
  let last: Connection | undefined
  let lent = false
  for (const connection of connections) {
    if (connection.holder !== undefined) lent = true
    if (connection.kind !== 'lane' || !connection.ready) continue
    // There is another one.
    if (!connection.retired) return undefined
    last ??= connection
  }
  return lent ? last : undefined
}
