import { touchesKeyspace } from '../commands/may-write.ts'
import { type CommandSpec, FLAG } from '../commands/spec.ts'
import type { Session } from '../session/session.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { Incoming } from './incoming.ts'
import { monitorArguments, monitorBody, monitorLine } from './monitor-line.ts'
import type { Stats } from './stats.ts'
import type { Transaction } from './transaction.ts'

/**
 * Puts `client` where its session says that it belongs: among the monitors of its tenant, or nowhere. `before`: the
 * tenant among whose monitors it may be now. A set for each tenant, so that only a tenant that is watched pays.
 */
export function placeMonitor(client: DispatchClient, before: Stats): void {
  if (before.monitors?.delete(client) === true && before.monitors.size === 0) before.monitors = undefined
  if (!client.session.monitoring || client.session.tenant === undefined || client.gone) return
  client.stats.monitors ??= new Set()
  client.stats.monitors.add(client)
}

/** A monitor counts among the replicas, and Redis lets those do little. */
export function forbiddenToMonitor(client: DispatchClient, spec: CommandSpec): boolean {
  return client.session.monitoring && touchesKeyspace(spec)
}

export const MONITOR_FORBIDS = "ERR Replica can't interact with the keyspace"

/** Shown to a tenant's monitors, if there are any. `time`: milliseconds since the epoch. */
export function show({ monitors }: Stats, body: Buffer, time: number): void {
  if (monitors === undefined) return
  const line = monitorLine(body, time)
  // A monitor that does not read is cut here, which takes it out of the set.
  for (const monitor of monitors) if (monitor.session.replyMode !== 'off') monitor.push(line)
}

/**
 * One request of a client whose tenant is watched: made before the request is handled, it is shown when that is done,
 * as Redis shows what was executed. What administers is not shown, nor what was refused; members of a transaction are
 * shown at EXEC, and not at all when they will not be executed.
 */
export class Sighting {
  private readonly session: Session
  /** Of the tenant that it had before: AUTH and RESET may change that. */
  private readonly stats: Stats
  private readonly hidden: boolean
  /** Made at once: handling one request may lead to others, and the buffer is reused. */
  private readonly args: string
  private readonly tx: Transaction | undefined
  private readonly isMember: boolean
  /** Members that EXEC executes. */
  private readonly members: readonly Buffer[]
  /** EXEC ends in the database that its last SELECT chose. */
  private readonly db: number | undefined

  /** `postponed`: it will not be handled now, and comes again. */
  constructor(client: DispatchClient, spec: CommandSpec, request: Incoming, postponed: boolean) {
    const { session, transaction } = client
    this.session = session
    this.stats = client.stats
    const refused = session.prefix.length > 0 && spec.quirk.refuses?.(request.view()) !== undefined
    this.hidden = postponed || refused || (spec.flags & FLAG.ADMIN) !== 0
    this.args = this.hidden ? '' : monitorArguments(spec, request.view())
    this.tx = transaction
    this.isMember = transaction?.multi === true && !AT_ONCE.has(spec.name)
    const executes = transaction?.multi === true && spec.name === 'exec' && !transaction.dirty && !transaction.lost
    this.members = executes ? (transaction.seen ?? []) : []
    this.db = executes ? transaction.db : undefined
  }

  /** The request has been handled. */
  show(time: number): void {
    const { session, stats, tx } = this
    if (this.hidden) return
    for (const member of this.members) show(stats, member, time)
    const db = this.db ?? tx?.db ?? session.db
    const body = monitorBody(db, session.address, this.args)
    if (!this.isMember) show(stats, body, time)
    else if (tx !== undefined && !tx.dirty) tx.see(body)
  }
}

/** Not queued by MULTI. */
const AT_ONCE: ReadonlySet<string> = new Set(['discard', 'exec', 'multi', 'quit', 'reset', 'watch'])
