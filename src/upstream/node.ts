import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import type { Tenant } from '../session/tenant.ts'
import { Availability } from './availability.ts'
import { BigKeys } from './big-keys.ts'
import type { Connection } from './connection.ts'
import { Connections, type ConnectionsHost } from './connections.ts'
import { Control } from './control.ts'
import { dial } from './dial.ts'
import { Fence, type FenceHost } from './fence.ts'
import { interrupt } from './interrupt.ts'
import type { LaneHost, LaneKey, LaneSet } from './lane-set.ts'
import { LaneSets } from './lane-sets.ts'
import type { NodeEnv, NodeOwner, ReplicaSource } from './node-env.ts'
import { type NodeView, viewNode } from './node-view.ts'
import type { Address, UpstreamOptions } from './options.ts'
import { Pace } from './pace.ts'
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

type Hosts = ConnectionsHost & LaneHost & PinHost & FenceHost & SubscriberHost & ProbesHost & WallsHost

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
  private readonly opened: Connections
  private readonly control = new Control()
  readonly fence = new Fence(this, this.control)
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
    this.opened = new Connections(this, owner)
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
    this.opened.close('Keyward stops')
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
    this.opened.retire()
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
    return this.opened.dialLane(key)
  }

  dialPin(protocol: 2 | 3, as: Tenant | undefined): void {
    this.opened.dialPin(protocol, as)
  }

  /** The breaker lets somebody try. */
  mayDial(): boolean {
    return this.availability.breaker.takeProbe()
  }

  connect(): Socket | undefined {
    const { address } = this.whereabouts
    return address === undefined ? undefined : dial(address, this.options)
  }

  wallReady(as: Tenant): boolean {
    return this.walls.readyFor(as, () => this.lifted())
  }

  connections(): Iterable<Connection> {
    return this.opened.all
  }

  witness(): Connection | undefined {
    return this.opened.witness
  }

  laneReady(set: LaneSet): void {
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
    this.opened.renew()
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

  // What takes too long.

  private tick(): void {
    const now = this.clock.tick()
    const { late, heard } = this.watch.look(this.opened.since, now)
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
    return viewNode(this.opened.all, this.lanesets.all(), this.pinPool, this.subscribers, this.clock.now)
  }
}
