import type { Socket } from 'node:net'
import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import type { Tenant } from '../session/tenant.ts'
import { Availability } from './availability.ts'
import { BigKeys } from './big-keys.ts'
import { Connection, type ConnectionHost, type ConnectionKind } from './connection.ts'
import { Control } from './control.ts'
import { dial } from './dial.ts'
import { Fence, type FenceHost } from './fence.ts'
import { type HandshakeNode, LoginHandshake } from './handshake.ts'
import { interrupt } from './interrupt.ts'
import type { LaneHost, LaneKey, LaneSet } from './lane-set.ts'
import { LaneSets } from './lane-sets.ts'
import type { NodeEnv, NodeOwner, ReplicaSource } from './node-env.ts'
import { type NodeView, viewNode } from './node-view.ts'
import type { Address, UpstreamOptions } from './options.ts'
import { Pace } from './pace.ts'
import { losePin } from './pin-loss.ts'
import { type PinHost, Pins } from './pins.ts'
import { Probes, type ProbesHost } from './probes.ts'
import { Refusals } from './refusals.ts'
import { Retries } from './retries.ts'
import { type FactsLog, type Power, ServerFacts } from './server-facts.ts'
import type { SubscriberHost } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'
import { type Reason, Suspension, type SuspensionHost } from './suspension.ts'
import { Walls, type WallsHost } from './walls/walls.ts'
import { TICK, Watch } from './watch.ts'
import { Whereabouts, type WhereaboutsHost } from './whereabouts.ts'

type Hosts = ConnectionHost & HandshakeNode & LaneHost & PinHost & FenceHost & SubscriberHost & ProbesHost & WallsHost

/**
 * One server, as a rule the primary of the day: its lanes, its pins, what is known of it, and the clockwork that gives up on
 * what takes too long. When the primary is another server, all connections are replaced, and what is held goes there.
 */
export class Node implements Hosts, SuspensionHost, WhereaboutsHost {
  readonly options: UpstreamOptions
  readonly turn: Turn
  readonly clock: Clock
  readonly pins: PinHost['pins']
  readonly pinPool: Pins
  readonly bigKeys = new BigKeys()
  readonly pace: Pace
  readonly facts: ServerFacts
  readonly subscribers: Subscribers
  readonly availability: Availability
  readonly whereabouts: Whereabouts
  readonly suspension: Suspension
  readonly probes: Probes
  readonly refusals = new Refusals()
  /** Where reads may go in its place; of a primary. */
  replicas: ReplicaSource | undefined = undefined
  private readonly env: NodeEnv
  private readonly owner: NodeOwner
  readonly lanesets: LaneSets = new LaneSets(this)
  private readonly opened = new Map<Connection, { readonly set: LaneSet | undefined; readonly since: number }>()
  private readonly control = new Control()
  private readonly fence = new Fence(this, this.control)
  private readonly watch = new Watch(this, this.control)
  private timer: NodeJS.Timeout | undefined
  readonly retries = new Retries()
  readonly walls: Walls
  private stopped = false
  private retiring = false

  constructor(options: UpstreamOptions, address: Address | undefined, env: NodeEnv, owner: NodeOwner) {
    this.options = options
    this.env = env
    this.owner = owner
    this.turn = env.turn
    this.clock = env.clock
    this.pins = options.pins
    this.facts = new ServerFacts(options.name, env.log)
    this.pinPool = new Pins(this)
    this.subscribers = new Subscribers(this, options.subscribers)
    this.pace = new Pace(options.scan.share)
    this.availability = new Availability(options, env.clock, env.log)
    this.whereabouts = new Whereabouts(address, this)
    this.suspension = new Suspension(this, this.control)
    this.walls = new Walls(this, options.walls, (name) => env.reviewed(name, this.facts.offers))
    this.probes = new Probes(this, this.control, this.availability.breaker)
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), TICK)
    this.timer.unref()
    this.lanesOf(2, false).open()
    this.lanesOf(3, false).open()
  }

  stop(): void {
    this.stopped = true
    this.retries.stop()
    this.suspension.stop()
    this.availability.breaker.stop()
    clearInterval(this.timer)
    for (const connection of [...this.opened.keys()]) connection.close('Keyward stops')
    this.subscribers.stop()
    this.walls.stop()
  }

  /** Takes the place of `elder`, which is perhaps at the same server. */
  succeed(elder: Node): void {
    this.suspension.succeed(elder.suspension)
    this.whereabouts.succeed(elder.whereabouts)
    this.facts.runId = elder.facts.runId
  }

  /**
   * Its configuration was replaced: what is under way is finished, then it stops. What it holds goes to `successor`,
   * if there is one: the old address may be the very reason why it is held.
   */
  retire(successor: Node | undefined): void {
    this.retiring = true
    if (successor !== undefined) {
      this.lanesets.surrender(successor.lanesets)
      this.pinPool.surrender()
    }
    for (const connection of this.opened.keys()) connection.retired = true
  }

  get name(): string {
    return this.options.name
  }
  get bulk(): number {
    return this.options.bulk
  }
  get lanes(): number {
    return this.options.lanes
  }
  get holdMemory(): number {
    return this.options.hold.memory
  }
  get heldBytes(): number {
    return this.lanesets.heldBytes
  }
  get holdTime(): number {
    return this.options.hold.time
  }
  /** Clock time since which no lane is ready; undefined while one is. */
  get downSince(): number | undefined {
    return this.availability.downSince
  }
  get usable(): boolean {
    return this.availability.downSince === undefined
  }
  get failsFast(): boolean {
    return this.availability.failsFast && this.suspension.level !== 'everything'
  }
  get located(): boolean {
    return this.whereabouts.address !== undefined
  }
  get epoch(): number {
    return this.whereabouts.epoch
  }
  get writesWait(): boolean {
    return this.suspension.level !== 'nothing'
  }
  get sendsElsewhere(): boolean {
    return this.owner.sendsElsewhere
  }
  /** Retired and done, or Keyward stops: nothing will go out any more. */
  get ended(): boolean {
    return this.stopped
  }
  get open(): boolean {
    return !this.stopped && this.whereabouts.known && this.fence.open && this.suspension.level !== 'everything'
  }

  now(): number {
    return this.clock.now
  }

  // Its connections.

  /** The lanes for requests of this protocol and size class. */
  lanesOf(protocol: 2 | 3, bulk: boolean): LaneSet {
    return this.lanesets.of(protocol, bulk)
  }

  dialLane(key: LaneKey): Connection {
    return this.dial(
      key.size === 'bulk' ? 'bulk' : 'lane',
      key.protocol,
      this.lanesOf(key.protocol, key.size === 'bulk'),
    )
  }

  dialPin(protocol: 2 | 3, as: Tenant | undefined): void {
    if (as === undefined) {
      this.dial('pin', protocol, undefined)
      return
    }
    this.walls.ensure(as).then(
      () =>
        this.located && !this.stopped
          ? this.dial('pin', protocol, undefined, as)
          : this.pinPool.failed(protocol, as.name),
      () => this.pinPool.failed(protocol, as.name),
    )
  }

  /** The breaker lets somebody try. */
  mayDial(): boolean {
    return this.availability.breaker.takeProbe()
  }

  connect(): Socket | undefined {
    const { address } = this.whereabouts
    return address === undefined ? undefined : dial(address, this.options)
  }

  private dial(kind: ConnectionKind, protocol: 2 | 3, set: LaneSet | undefined, as?: Tenant): Connection {
    const wall = as === undefined ? undefined : this.walls.userOf(as.name)
    const handshake = new LoginHandshake(this, kind, protocol, wall, (id) => {
      connection.id = id
    })
    const connection: Connection = new Connection(kind, protocol, this.connect() as Socket, handshake, this, () => {
      connection.runId = handshake.runId
      connection.service = handshake.service
      connection.epoch = this.epoch
      if (this.writesWait) this.suspension.hold(connection)
      if (set === undefined) this.pinPool.ready(connection)
      else this.laneReady(set)
    })
    connection.as = as?.name
    this.opened.set(connection, { set, since: this.clock.now })
    return connection
  }

  wallReady(as: Tenant): boolean {
    return this.walls.readyFor(as, () => this.lifted())
  }

  connections(): Iterable<Connection> {
    return this.opened.keys()
  }

  private laneReady(set: LaneSet): void {
    set.ready()
    const { facts } = this
    if (!facts.resp3 && set.key.protocol === 2) {
      // Perhaps it is another server now.
      facts.resp3 = true
      this.lanesOf(3, false).open()
    }
    if (this.availability.connected()) {
      this.env.log.info({ upstream: this.name, version: facts.version }, 'upstream is usable')
      this.whereabouts.moves.arrived(facts.info, this.clock.now)
      // Not at once: the breaker closes a moment after it has heard of this connection.
      setImmediate(() => this.retries.hurry())
    }
    this.whereabouts.judgeRole()
    this.release()
  }

  /** Replaces all connections, one by one: new ones resolve the name anew, old ones end what they have. */
  renew(): void {
    // A pin that is just being made is used once; a lane that is, is the new one already.
    for (const one of this.opened.keys()) if (one.ready || one.kind === 'pin') one.retired = true
    this.lanesets.open()
    this.pinPool.closeIdle()
  }

  private release(): void {
    this.lanesets.release()
    this.pinPool.serve()
  }

  interrupt(pin: Connection): void {
    interrupt(pin, this, this.control)
  }

  later(delay: number, fn: () => void): void {
    this.retries.later(delay, fn)
  }

  heldSince(receivedAt: number): number {
    return this.downSince === undefined ? this.clock.now : Math.max(receivedAt, this.downSince)
  }

  // What handshakes ask and learn.

  get mustBe(): 'master' | 'slave' | undefined {
    return this.owner.mustBe
  }

  get resp3(): boolean {
    return this.facts.resp3
  }

  get runId(): string {
    return this.facts.runId
  }

  learned(info: ReadonlyMap<string, string>): void {
    const before = this.facts.runId
    this.facts.learned(info, this.clock.now)
    if (before === this.facts.runId) return
    this.whereabouts.another(info)
    this.owner.another()
  }

  missing(power: Power, error: string): void {
    this.facts.missing(power, error)
  }

  get lostIds(): ReadonlySet<number> {
    return this.fence.lostIds
  }

  buried(ids: readonly number[]): void {
    this.fence.lower(ids)
  }

  // What the fence, the probes and the suspension ask.

  get requestTime(): number {
    return this.options.timeouts.request
  }

  witness(): Connection | undefined {
    return [...this.opened.keys()].find((one) => one.ready && !one.retired && one.kind === 'lane')
  }

  killRefused(error: string): void {
    this.missing('client kill', error)
  }

  lifted(): void {
    setImmediate(() => this.stopped || this.release())
  }

  resumed(reason: Reason): void {
    if (reason === 'paused') {
      // What waited because of the pause has not waited for the server.
      this.lanesets.heldFrom(this.clock.now)
      this.pinPool.waitFrom(this.clock.now)
    }
    this.lifted()
  }

  // What connections report.

  get log(): FactsLog {
    return this.env.log
  }

  fault(error: unknown): void {
    this.env.fault(error)
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
    const doubted = this.whereabouts.doubt.judge(error, this.clock.now) !== 'none'
    if (!doubted && !busy && !error.startsWith('-MASTERDOWN ')) return false
    if (!busy) this.renew()
    this.owner.doubt(error.trimEnd())
    x.client.pending--
    x.client.requeue([x])
    return true
  }

  doubts(error: string): boolean {
    const verdict = this.whereabouts.doubt.judge(error, this.clock.now)
    if (verdict === 'new') {
      // Lanes finish what is in flight; new ones resolve the name again and look at INFO before they are used.
      this.renew()
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
    this.bigKeys.remember(x)
  }

  closed(connection: Connection, left: Exchange | undefined, why: string): void {
    const opened = this.opened.get(connection)
    this.opened.delete(connection)
    const { holder, wasReady } = connection
    const wanted = this.stopped || this.whereabouts.moving || connection.retired
    if (wasReady && !this.stopped) this.fence.raise(connection, left)
    if (opened?.set !== undefined) {
      if (!wanted) this.availability.closed(why, wasReady)
      opened.set.closed(connection, left, wasReady)
      if (![...this.opened.keys()].some((one) => one.kind === 'lane' && one.ready)) this.availability.down(why, wanted)
    } else {
      if (!wasReady && connection.as !== undefined) this.walls.forget(connection.as)
      this.pinPool.closed(connection, wasReady)
      if (holder !== undefined) losePin(holder, left, this.options.reissueBlocked)
    }
    if (!wanted && wasReady) this.owner.doubt(why)
  }

  // What takes too long.

  private tick(): void {
    const now = this.clock.tick()
    const { late, heard } = this.watch.look(this.opened, now)
    if (this.retiring && this.unused) {
      this.stop()
      this.owner.ended()
      return
    }
    this.availability.tick(now, late, heard)
    this.probes.tick(now)
    this.suspension.tick(now)
    this.whereabouts.tick(now)
    this.fence.kill()
    // A pause is as long as its operator wants it.
    if (this.suspension.level !== 'everything') {
      this.release()
      this.lanesets.expire(now)
      this.pinPool.expire(now)
    }
    this.subscribers.tick(now)
  }

  private get unused(): boolean {
    const { places, pins } = this.view()
    const lent = pins.blocked + pins.transaction + pins.waiting
    return places.sent + places.scheduled + places.abandoned + places.held + lent + this.subscribers.size === 0
  }

  view(): NodeView {
    return viewNode(this.opened.keys(), this.lanesets.all(), this.pinPool, this.subscribers, this.clock.now)
  }
}
