import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import { BigKeys } from './big-keys.ts'
import { Connection, type ConnectionHost, type ConnectionKind } from './connection.ts'
import { Control } from './control.ts'
import { dial } from './dial.ts'
import { close, fail, sortLost } from './failure.ts'
import { Fence, type FenceHost } from './fence.ts'
import { type HandshakeNode, LoginHandshake, type Power } from './handshake.ts'
import { type LaneHost, type LaneKey, LaneSet } from './lane-set.ts'
import { type NodeView, viewNode } from './node-view.ts'
import type { UpstreamOptions } from './options.ts'
import { Pace } from './pace.ts'
import { type PinHost, Pins } from './pins.ts'
import { Retries } from './retries.ts'
import { type FactsLog, ServerFacts } from './server-facts.ts'
import type { SubscriberHost } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'
import { checkTimeOuts } from './time-outs.ts'

/** What the rest of the process lends to a node. */
export interface NodeEnv {
  readonly turn: Turn
  readonly clock: Clock
  readonly log: FactsLog
  /** A bug: it is logged and counted, and the process goes on. */
  fault(error: unknown): void
}

/** Milliseconds between two looks at what takes too long. */
const TICK = 100
/** Milliseconds without requests after an answer that says that nothing can be executed. */
const QUIET = 100
const REPLICA_BELIEVED = 5000
/** Milliseconds between two lines about lost connections. */
const SAY_LOST = 10_000

/** One Redis server: its lanes, its pins, what is known of it, and the clockwork that gives up on what takes too long. */
export class Node implements ConnectionHost, HandshakeNode, LaneHost, PinHost, FenceHost, SubscriberHost {
  readonly options: UpstreamOptions
  readonly turn: Turn
  readonly clock: Clock
  readonly pins: PinHost['pins']
  readonly pinPool: Pins
  readonly bigKeys = new BigKeys()
  readonly pace: Pace
  readonly facts: ServerFacts
  readonly subscribers: Subscribers
  /** Clock time since which no lane is ready; undefined while one is. */
  downSince: number | undefined
  everUp = false
  reconnects = 0
  /**
   * Clock time until which READONLY is believed and passed on: the server was a replica also after resolving its name
   * again, so it is meant to be one. Later it is asked again: a name may move slowly.
   */
  private replicaUntil = 0
  /** Clock time until which nothing goes out, because the server said a moment ago that it cannot execute anything. */
  private quietUntil = 0
  private readonly env: NodeEnv
  private readonly sets: LaneSet[] = []
  private readonly opened = new Map<Connection, { readonly set: LaneSet | undefined; readonly since: number }>()
  private readonly control = new Control()
  private readonly fence = new Fence(this, this.control)
  private timer: NodeJS.Timeout | undefined
  private readonly retries = new Retries()
  private stopped = false
  private retiring = false
  private lastWhy = ''
  private saidDownAt = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions, env: NodeEnv) {
    this.options = options
    this.env = env
    this.turn = env.turn
    this.clock = env.clock
    this.pins = options.pins
    this.facts = new ServerFacts(options.name, env.log)
    this.pinPool = new Pins(this)
    this.subscribers = new Subscribers(this, options.subscribers)
    this.pace = new Pace(options.scan.share)
    this.downSince = env.clock.now
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
    clearInterval(this.timer)
    for (const connection of [...this.opened.keys()]) connection.close('Keyward stops')
    this.subscribers.stop()
  }

  /**
   * Its configuration was replaced: what is under way is finished, then it stops. What it holds goes to `successor`,
   * if there is one: the old address may be the very reason why it is held.
   */
  retire(successor: Node | undefined): void {
    this.retiring = true
    if (successor !== undefined) {
      for (const set of this.allSets()) {
        successor.lanesOf(set.key.protocol, set.key.size === 'bulk').adopt(set.surrender())
      }
      this.pinPool.surrender()
    }
    for (const connection of this.opened.keys()) connection.retired = true
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
  get usable(): boolean {
    return this.downSince === undefined
  }
  get holdTime(): number {
    return this.options.hold.time
  }
  /** Retired and done, or Keyward stops: nothing will go out any more. */
  get ended(): boolean {
    return this.stopped
  }
  get open(): boolean {
    return this.fence.open && !this.stopped && this.clock.now >= this.quietUntil
  }

  now(): number {
    return this.clock.now
  }

  /** The lanes for requests of this protocol and size class. */
  lanesOf(protocol: 2 | 3, bulk: boolean): LaneSet {
    const at = (protocol - 2) * 2 + (bulk ? 1 : 0)
    let set = this.sets[at]
    if (set === undefined) {
      set = new LaneSet({ protocol, identity: 'service', size: bulk ? 'bulk' : 'normal' }, this)
      this.sets[at] = set
    }
    return set
  }

  dialLane(key: LaneKey): Connection {
    return this.dial(
      key.size === 'bulk' ? 'bulk' : 'lane',
      key.protocol,
      this.lanesOf(key.protocol, key.size === 'bulk'),
    )
  }

  dialPin(protocol: 2 | 3): Connection {
    return this.dial('pin', protocol, undefined)
  }

  private dial(kind: ConnectionKind, protocol: 2 | 3, set: LaneSet | undefined): Connection {
    const handshake = new LoginHandshake(this, kind, protocol, (id) => {
      connection.id = id
    })
    const connection: Connection = new Connection(kind, protocol, dial(this.options), handshake, this, () => {
      connection.runId = handshake.runId
      if (set === undefined) this.pinPool.ready(connection)
      else this.laneReady(set)
    })
    this.opened.set(connection, { set, since: this.clock.now })
    return connection
  }

  private laneReady(set: LaneSet): void {
    set.ready()
    const { facts } = this
    if (!facts.resp3 && set.key.protocol === 2) {
      // Perhaps it is another server now.
      facts.resp3 = true
      this.lanesOf(3, false).open()
    }
    if (this.downSince !== undefined) {
      this.env.log.info({ upstream: this.options.name, version: facts.version }, 'upstream is usable')
      this.downSince = undefined
      this.everUp = true
      this.retries.hurry()
    }
    this.replicaUntil = 0
    if (facts.role === 'slave') {
      // Resolved and connected anew, and still a replica: what it refused, it will go on refusing.
      this.replicaUntil = this.clock.now + REPLICA_BELIEVED
      for (const one of this.allSets()) one.passOnRefusals()
    }
    this.release()
  }

  private release(): void {
    for (const set of this.allSets()) set.release()
    this.pinPool.serve()
  }

  private *allSets(): Iterable<LaneSet> {
    for (const set of this.sets) if (set !== undefined) yield set
  }

  later(delay: number, fn: () => void): void {
    this.retries.later(delay, fn)
  }

  heldSince(receivedAt: number): number {
    return this.downSince === undefined ? this.clock.now : Math.max(receivedAt, this.downSince)
  }

  // What handshakes ask and learn.

  get resp3(): boolean {
    return this.facts.resp3
  }

  get runId(): string {
    return this.facts.runId
  }

  learned(info: ReadonlyMap<string, string>): void {
    this.facts.learned(info)
  }

  noResp3(): void {
    this.facts.noResp3()
  }

  outputLimited(setting: string): void {
    this.facts.outputLimited(setting)
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

  // What the fence asks.

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

  // What connections report.

  get log(): FactsLog {
    return this.env.log
  }

  notifies(events: string | undefined): void {
    this.facts.events = events
  }

  noChannels(error: string): void {
    this.facts.noChannels(error)
  }

  subscribersLimited(setting: string): void {
    this.facts.subscribersLimited(setting)
  }

  fault(error: unknown): void {
    this.env.fault(error)
  }

  putBack(connection: Connection, x: Exchange, error: string): boolean {
    const set = this.opened.get(connection)?.set
    if (set === undefined || !this.doubts(error)) return false
    set.putBack(x, Buffer.from(error, 'latin1'))
    return true
  }

  doubts(error: string): boolean {
    const kind = /^-(READONLY|LOADING|MASTERDOWN|NOAUTH) /.exec(error)?.[1]
    // NOAUTH: the password was changed; a new lane will log in with ours, or tell that it cannot.
    const now = this.clock.now
    if (kind === undefined || ((kind === 'READONLY' || kind === 'MASTERDOWN') && now < this.replicaUntil)) return false
    if (now < this.quietUntil) return true
    this.quietUntil = now + QUIET
    // Lanes finish what is in flight; new ones resolve the name again and look at INFO before they are used.
    for (const set of this.allSets()) {
      for (const lane of set.connections) if (lane.ready) lane.retired = true
      set.open()
    }
    this.pinPool.closeIdle()
    return true
  }

  overtaken(client: ExchangeClient): void {
    for (const set of this.allSets()) set.overtaken(client)
  }

  bigReply(x: Exchange): void {
    this.bigKeys.remember(x)
  }

  closed(connection: Connection, left: Exchange | undefined, why: string): void {
    const opened = this.opened.get(connection)
    this.opened.delete(connection)
    this.lastWhy = why
    const wasReady = connection.wasReady
    if (wasReady && !this.stopped) this.fence.raise(connection, left)
    if (opened?.set !== undefined) {
      opened.set.closed(connection, left, wasReady)
      if (wasReady && !connection.retired) this.reconnects++
      if (this.downSince === undefined && ![...this.opened.keys()].some((one) => one.kind === 'lane' && one.ready)) {
        this.downSince = this.clock.now
        if (!this.stopped && this.clock.now - this.saidDownAt > SAY_LOST) {
          this.env.log.warn({ upstream: this.options.name, why }, 'upstream connections lost')
          this.saidDownAt = this.clock.now
        }
      }
      return
    }
    const holder = connection.holder
    this.pinPool.closed(connection, wasReady)
    this.pinLost(holder, left)
  }

  private pinLost(holder: ExchangeClient | undefined, left: Exchange | undefined): void {
    if (holder === undefined) return
    const lost = sortLost(left)
    holder.pinLost()
    for (const x of lost.abandoned) close(x)
    const again: Exchange[] = []
    for (const x of lost.unknown) {
      if (x.inTransaction && x.spec.name !== 'exec') fail(x, 'EXECABORT')
      else if (x.spec.route === 'blocking' && this.mayReissue(x)) again.push(x)
      else fail(x, 'OUTCOMEUNKNOWN')
    }
    for (const x of lost.repeat) {
      if (x.inTransaction) fail(x, 'EXECABORT')
      else again.push(x)
    }
    holder.pending -= again.length
    if (again.length > 0) holder.requeue(again)
  }

  private mayReissue(x: Exchange): boolean {
    return this.options.reissueBlocked && !x.client.gone
  }

  // What takes too long.

  private tick(): void {
    const now = this.clock.tick()
    for (const [connection, opened] of this.opened) {
      if (!connection.ready) {
        if (now - opened.since > this.options.timeouts.connect) connection.close('timed out while connecting')
      } else {
        this.inspect(connection, now)
      }
    }
    if (this.retiring && this.unused) {
      this.stop()
      return
    }
    this.fence.kill()
    for (const set of this.allSets()) set.expire(now)
    this.release()
    this.pinPool.expire(now)
    this.subscribers.tick(now)
    // Not before an attempt has failed: at a start, the first connection may still be on its way.
    if (this.downSince !== undefined && this.lastWhy !== '' && now - this.saidDownAt > 60_000) {
      this.saidDownAt = now
      this.env.log.warn({ upstream: this.options.name, why: this.lastWhy }, 'upstream is not usable; trying on')
    }
  }

  private get unused(): boolean {
    const { places, pins } = this.view()
    const lent = pins.blocked + pins.transaction + pins.waiting
    return places.sent + places.scheduled + places.abandoned + places.held + lent + this.subscribers.size === 0
  }

  private inspect(connection: Connection, now: number): void {
    const { request } = this.options.timeouts
    if (connection.queue.head !== undefined) {
      checkTimeOuts(connection, now, request)
    } else if (connection.retired && connection.holder === undefined) {
      connection.close('retired')
    } else if (connection.holder === undefined && now - connection.lastBytesAt > this.options.keepAlive) {
      // Not on a pin that is lent: inside MULTI the PING would be queued.
      this.control.ask(connection, ['PING'], now, request, () => undefined)
    }
  }

  view(): NodeView {
    return viewNode(this.opened.keys(), this.allSets(), this.pinPool, this.subscribers, this.clock.now)
  }
}
