import type { Clock } from '../lib/clock.ts'
import { formatAddress } from './address.ts'
import type { Availability } from './availability.ts'
import type { Connection } from './connection.ts'
import { Doubt } from './doubt.ts'
import type { LaneSets } from './lane-sets.ts'
import { Moves } from './move.ts'
import type { Address } from './options.ts'
import type { Probes } from './probes.ts'
import type { Retries } from './retries.ts'
import type { FactsLog, Role, ServerFacts } from './server-facts.ts'
import type { Subscribers } from './subscribers.ts'
import type { Suspension } from './suspension.ts'

/** Milliseconds between two looks whether the name of a demoted server leads elsewhere by now. */
const LOOK_AGAIN = 1000

/** What has to follow when the server is another one. */
export interface WhereaboutsHost {
  readonly name: string
  /** What ROLE must say; undefined: the name decides. */
  readonly mustBe: Role | undefined
  readonly log: FactsLog
  readonly clock: Clock
  readonly facts: ServerFacts
  readonly availability: Availability
  readonly probes: Probes
  readonly suspension: Suspension
  readonly lanesets: LaneSets
  readonly subscribers: Subscribers
  readonly retries: Retries
  connections(): Iterable<Connection>
  /** Has what blocks on `pin` issued again elsewhere. */
  interrupt(pin: Connection): void
  /** Replaces all connections, one by one. */
  renew(): void
}

/**
 * Where the server of a node is, whether it still is the one that it was, and what follows when it is not: told by the
 * topology, or seen by a new connection whose name leads elsewhere than before.
 */
export class Whereabouts {
  /** Undefined until somebody knows. */
  address: Address | undefined
  /** Rises whenever the server turns out to be another one, which may lack what was written before. */
  epoch = 0
  /** All connections are being closed, because the server is another one. */
  moving = false
  readonly doubt = new Doubt()
  readonly moves: Moves
  private readonly host: WhereaboutsHost
  /** Clock time of the last look at where the name of a demoted server leads; 0: nobody looks. */
  private lookedAt = 0

  constructor(address: Address | undefined, host: WhereaboutsHost) {
    this.address = address
    this.host = host
    this.moves = new Moves(host.name, host.log)
  }

  /** Requests may go there. */
  get known(): boolean {
    return !this.moving && this.address !== undefined && !this.doubt.quiet(this.host.clock.now)
  }

  /** Ours takes the place of `elder`: what is known of its server may be true of ours, whose connections will tell. */
  succeed(elder: Whereabouts): void {
    this.epoch = elder.epoch
    this.doubt.wasPrimary = elder.doubt.wasPrimary
  }

  /** A new connection is at another process than those before. `info`: its INFO. */
  another(info: ReadonlyMap<string, string>): void {
    if (!this.moves.proves(info)) this.epoch++
  }

  /**
   * A new lane is ready, and the facts are of its server. One whose role is unknown proves nothing: it counts as a replica once it
   * has refused something as one.
   */
  judgeRole(): void {
    const { doubt, host } = this
    const { role } = host.facts
    if (role === 'master') {
      doubt.primary()
      const demoted = host.suspension.since('demoted') !== undefined
      if (this.leaveOthers() || demoted) this.moves.byName()
      host.suspension.end('demoted', 'its name leads to a primary')
    } else if (role === 'slave' && doubt.wasPrimary) {
      host.suspension.begin('demoted', 'it was a primary and is a replica now')
    } else if (role === 'slave' || doubt.refused) {
      this.believe()
    }
  }

  /**
   * A probe's INFO, asked for at clock time `at`: a server may be promoted or demoted while all connections stay. That it is a replica
   * still is no reason to believe that it is meant to be one: its name may lead elsewhere by now, which only a new lane sees.
   */
  probed(info: ReadonlyMap<string, string>, at: number): void {
    const { doubt, host } = this
    const { facts } = host
    // Of a lane to the server before, or older than what a handshake has found since.
    if (facts.runId === '' || info.get('run_id') !== facts.runId || at < facts.learnedAt) return
    facts.learned(info, at)
    // Where a role is prescribed, the name does not decide: somebody else tells where the primary is.
    if (host.mustBe === undefined && (facts.role === 'master' || doubt.wasPrimary)) this.judgeRole()
  }

  /** Resolved and connected anew, and still a replica: it is meant to be one. What it refused, it will go on refusing. */
  private believe(): void {
    this.doubt.replica(this.host.clock.now)
    this.host.lanesets.passOnRefusals()
  }

  /**
   * The name leads to another process than before: connections to the old one end what they have and are left. A
   * transaction there would be lost with its server. True: there were some.
   */
  private leaveOthers(): boolean {
    const { host } = this
    const { runId } = host.facts
    if (runId === '') return false
    let left = false
    for (const connection of [...host.connections()]) {
      if (!connection.ready || connection.runId === runId || connection.runId === '') continue
      left ||= !connection.retired
      connection.retired = true
      if (connection.kind !== 'pin') continue
      if (connection.queue.head?.blocks === true) host.interrupt(connection)
      else connection.close(MOVED)
    }
    return left
  }

  /** The primary is at `address`: all connections to another one are closed, and what is held goes there. */
  moveTo(address: Address, why: string): void {
    const { host, address: before } = this
    const { suspension } = host
    this.address = address
    const fields = { upstream: host.name, address: formatAddress(address), why }
    if (before === undefined) {
      host.log.info(fields, 'primary found')
      host.lanesets.open()
    } else {
      host.log.info({ ...fields, before: formatAddress(before) }, 'the primary moved: all connections follow')
      const { downSince } = host.availability
      const since = suspension.since('planned') ?? suspension.since('failover') ?? downSince ?? host.clock.now
      this.moves.begin(suspension.takeOffset(), since)
      // Where INFO is closed to us nobody will say that it is another process.
      if (host.facts.runId === '') this.epoch++
      this.leave(MOVED)
    }
    suspension.end('failover', why)
    host.retries.hurry()
  }

  /** Closes everything and connects anew. */
  leave(why: string): void {
    const { host } = this
    this.moving = true
    for (const connection of [...host.connections()]) connection.close(why)
    host.subscribers.move()
    this.moving = false
    host.availability.breaker.reset()
    host.probes.reset()
    host.lanesets.renew()
  }

  /**
   * Called ten times a second. The name of a demoted server may lead to the new primary by now; after hold.time it is meant to
   * be a replica. `now`: clock time.
   */
  tick(now: number): void {
    const { host } = this
    if (host.suspension.since('demoted') !== undefined) {
      if (now - this.lookedAt < LOOK_AGAIN) return
      this.lookedAt = now
      host.renew()
    } else if (this.lookedAt > 0) {
      this.lookedAt = 0
      if (host.facts.role !== 'master' && host.availability.downSince === undefined) this.believe()
    }
  }
}

const MOVED = 'the primary moved'
