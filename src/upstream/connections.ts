import type { Socket } from 'node:net'
import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Availability } from './availability.ts'
import type { BigKeys } from './big-keys.ts'
import { Connection, type ConnectionHost, type ConnectionKind } from './connection.ts'
import type { Fence } from './fence.ts'
import { type HandshakeNode, LoginHandshake } from './handshake.ts'
import type { LaneKey, LaneSet } from './lane-set.ts'
import type { LaneSets } from './lane-sets.ts'
import type { NodeOwner } from './node-env.ts'
import { losePin } from './pin-loss.ts'
import type { Pins } from './pins.ts'
import type { Suspension } from './suspension.ts'
import type { Walls } from './walls/walls.ts'
import type { Whereabouts } from './whereabouts.ts'

/** The node whose connections these are. */
export interface ConnectionsHost extends HandshakeNode {
  readonly turn: Turn
  readonly clock: Clock
  readonly lanesets: LaneSets
  readonly pinPool: Pins
  readonly bigKeys: BigKeys
  readonly availability: Availability
  readonly whereabouts: Whereabouts
  readonly suspension: Suspension
  readonly fence: Fence
  readonly walls: Walls
  /** It is stopped: nothing is opened any more, and what is closed is not missed. */
  readonly ended: boolean
  connect(): Socket | undefined
  /** A lane of this set is logged in. */
  laneReady(set: LaneSet): void
  /** Replaces all connections, one by one. */
  renew(): void
  fault(error: unknown): void
}

/** A lane's set, and the clock time since when there is the connection. */
interface Opened {
  readonly set: LaneSet | undefined
  readonly since: number
}

/** The lanes and pins of one node: opens them, and does what follows from what they report. */
export class Connections implements ConnectionHost {
  readonly turn: Turn
  readonly clock: Clock
  readonly lanesets: LaneSets
  readonly holdTime: number
  readonly bulk: number
  private readonly host: ConnectionsHost
  private readonly owner: NodeOwner
  private readonly opened = new Map<Connection, Opened>()

  constructor(host: ConnectionsHost, owner: NodeOwner) {
    this.host = host
    this.owner = owner
    this.turn = host.turn
    this.clock = host.clock
    this.lanesets = host.lanesets
    this.holdTime = host.options.hold.time
    this.bulk = host.options.bulk
  }

  get all(): Iterable<Connection> {
    return this.opened.keys()
  }

  /** With the clock time since when there is each of them. */
  get since(): ReadonlyMap<Connection, { readonly since: number }> {
    return this.opened
  }

  /** A lane that is in use, for questions of our own. */
  get witness(): Connection | undefined {
    return [...this.opened.keys()].find((one) => one.ready && !one.retired && one.kind === 'lane')
  }

  dialLane({ protocol, size }: LaneKey): Connection {
    const bulk = size === 'bulk'
    return this.dial(bulk ? 'bulk' : 'lane', protocol, this.lanesets.of(protocol, bulk))
  }

  /** `as`: the tenant as whose ACL user it logs in; undefined: as the upstream's. */
  dialPin(protocol: 2 | 3, as: Tenant | undefined): void {
    if (as === undefined) {
      this.dial('pin', protocol, undefined)
      return
    }
    const { host } = this
    host.walls.ensure(as).then(
      () =>
        host.whereabouts.address !== undefined && !host.ended
          ? this.dial('pin', protocol, undefined, as)
          : host.pinPool.failed(protocol, as.name),
      () => host.pinPool.failed(protocol, as.name),
    )
  }

  private dial(kind: ConnectionKind, protocol: 2 | 3, set: LaneSet | undefined, as?: Tenant): Connection {
    const { host } = this
    const wall = as === undefined ? undefined : host.walls.userOf(as.name)
    const handshake = new LoginHandshake(host, kind, protocol, wall, (id) => {
      connection.id = id
    })
    const connection: Connection = new Connection(kind, protocol, host.connect() as Socket, handshake, this, () => {
      connection.runId = handshake.runId
      connection.service = handshake.service
      connection.epoch = host.whereabouts.epoch
      if (host.suspension.level !== 'nothing') host.suspension.hold(connection)
      if (set === undefined) host.pinPool.ready(connection)
      else host.laneReady(set)
    })
    connection.as = as?.name
    this.opened.set(connection, { set, since: this.clock.now })
    return connection
  }

  /** All of them end what they have, and are replaced. */
  retire(): void {
    for (const connection of this.opened.keys()) connection.retired = true
  }

  /** As `retire`, but for lanes that are just being made: they are the new ones already. A pin that is, is used once. */
  renew(): void {
    for (const one of this.opened.keys()) if (one.ready || one.kind === 'pin') one.retired = true
  }

  close(why: string): void {
    for (const connection of [...this.opened.keys()]) connection.close(why)
  }

  // What they report.

  fault(error: unknown): void {
    this.host.fault(error)
  }

  putBack(connection: Connection, x: Exchange, error: string): boolean {
    const set = this.opened.get(connection)?.set
    if (this.owner.sendsElsewhere) return this.passElsewhere(x, error)
    if (set === undefined || !this.doubts(error)) return false
    set.putBack(x, Buffer.from(error, 'latin1'))
    return true
  }

  private passElsewhere(x: Exchange, error: string): boolean {
    // Busy with a script it is well, and so are its connections; its readers need not wait for that.
    const busy = error.startsWith('-BUSY ')
    const doubted = this.host.whereabouts.doubt.judge(error, this.clock.now) !== 'none'
    if (!doubted && !busy && !error.startsWith('-MASTERDOWN ')) return false
    if (!busy) this.host.renew()
    this.owner.doubt(error.trimEnd())
    x.client.pending--
    x.client.requeue([x])
    return true
  }

  doubts(error: string): boolean {
    const verdict = this.host.whereabouts.doubt.judge(error, this.clock.now)
    if (verdict === 'new') {
      // Lanes finish what is in flight; new ones resolve the name again and look at INFO before they are used.
      this.host.renew()
      this.owner.doubt(error.trimEnd())
    }
    return verdict !== 'none'
  }

  tooEarly(connection: Connection, x: Exchange): boolean {
    return this.opened.get(connection)?.set?.tooEarly(x) === true
  }

  overtaken(client: ExchangeClient): void {
    this.lanesets.overtaken(client)
  }

  bigReply(x: Exchange): void {
    this.host.bigKeys.remember(x)
  }

  closed(connection: Connection, left: Exchange | undefined, why: string): void {
    const { availability, ended, fence, options, pinPool, walls, whereabouts } = this.host
    const opened = this.opened.get(connection)
    this.opened.delete(connection)
    const { holder, wasReady } = connection
    const wanted = ended || whereabouts.moving || connection.retired
    if (wasReady && !ended) fence.raise(connection, left)
    if (opened?.set !== undefined) {
      if (!wanted) availability.closed(why, wasReady)
      opened.set.closed(connection, left, wasReady)
      if (![...this.opened.keys()].some((one) => one.kind === 'lane' && one.ready)) availability.down(why, wanted)
    } else {
      if (!wasReady && connection.as !== undefined) walls.forget(connection.as)
      pinPool.closed(connection, wasReady)
      if (holder !== undefined) losePin(holder, left, options.reissueBlocked)
    }
    if (!wanted && wasReady) this.owner.doubt(why)
  }
}
