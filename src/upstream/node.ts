import type { Exchange, ExchangeClient } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turn } from '../lib/turn.ts'
import { BigKeys } from './big-keys.ts'
import { Connection, type ConnectionHost, type ConnectionKind } from './connection.ts'
import { Control } from './control.ts'
import { dial } from './dial.ts'
import { close, fail, sortLost } from './failure.ts'
import { Fence, type FenceHost } from './fence.ts'
import { type HandshakeNode, LoginHandshake, POWERS, type Power } from './handshake.ts'
import { type LaneHost, type LaneKey, LaneSet } from './lane-set.ts'
import type { UpstreamOptions } from './options.ts'
import { type PinHost, Pins } from './pins.ts'
import { checkTimeOuts } from './time-outs.ts'

/** What the rest of the process lends to a node. */
export interface NodeEnv {
  readonly turn: Turn
  readonly clock: Clock
  readonly log: {
    info(fields: object, text: string): void
    warn(fields: object, text: string): void
  }
  /** A bug: it is logged and counted, and the process goes on. */
  fault(error: unknown): void
}

/** Milliseconds between two looks at what takes too long. */
const TICK = 100

/** One Redis server: its lanes, its pins, what is known of it, and the clockwork that gives up on what takes too long. */
export class Node implements ConnectionHost, HandshakeNode, LaneHost, PinHost, FenceHost {
  readonly options: UpstreamOptions
  readonly turn: Turn
  readonly clock: Clock
  readonly pins: PinHost['pins']
  readonly pinPool: Pins
  readonly bigKeys = new BigKeys()
  runId = ''
  /** Fields of the newest INFO; empty before the first connection. */
  info: ReadonlyMap<string, string> = new Map()
  resp3 = true
  /** Clock time since which no lane is ready; undefined while one is. */
  downSince: number | undefined
  everUp = false
  reconnects = 0
  /** READONLY was answered by a server that is a replica also after resolving its name again: it is meant to be one. */
  private replicaOnPurpose = false
  private readonly env: NodeEnv
  private readonly sets: LaneSet[] = []
  private readonly opened = new Map<Connection, { readonly set: LaneSet | undefined; readonly since: number }>()
  private readonly missed = new Set<Power>()
  private readonly control = new Control()
  private readonly fence = new Fence(this, this.control)
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private retiring = false
  private lastWhy = ''
  private saidLimited = false
  private saidDownAt = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions, env: NodeEnv) {
    this.options = options
    this.env = env
    this.turn = env.turn
    this.clock = env.clock
    this.pins = options.pins
    this.pinPool = new Pins(this)
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
    clearInterval(this.timer)
    for (const connection of [...this.opened.keys()]) connection.close('Keyward stops')
  }

  /** Its configuration was replaced: what is under way is finished, then it stops. */
  retire(): void {
    this.retiring = true
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
  get holdTime(): number {
    return this.options.hold.time
  }
  get open(): boolean {
    return this.fence.open && !this.stopped
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
      if (set === undefined) this.pinPool.ready(connection)
      else this.laneReady(set)
    })
    this.opened.set(connection, { set, since: this.clock.now })
    return connection
  }

  private laneReady(set: LaneSet): void {
    set.ready()
    if (!this.resp3 && set.key.protocol === 2) {
      // Perhaps it is another server now.
      this.resp3 = true
      this.lanesOf(3, false).open()
    }
    if (this.downSince !== undefined) {
      this.env.log.info({ upstream: this.options.name, version: this.info.get('redis_version') }, 'upstream is usable')
      this.downSince = undefined
      this.everUp = true
    }
    if (this.role === 'slave' || this.replicaOnPurpose) {
      // Resolved and connected anew, and still a replica: what it refused, it will go on refusing.
      this.replicaOnPurpose = this.role === 'slave'
      if (this.replicaOnPurpose) for (const one of this.allSets()) one.passOnRefusals()
    }
    this.release()
  }

  get role(): string {
    return this.info.get('role') ?? 'master'
  }

  private release(): void {
    for (const set of this.allSets()) set.release()
    this.pinPool.serve()
  }

  private *allSets(): Iterable<LaneSet> {
    for (const set of this.sets) if (set !== undefined) yield set
  }

  later(delay: number, fn: () => void): void {
    const timer = setTimeout(() => {
      if (!this.stopped) fn()
    }, delay)
    timer.unref()
  }

  // What handshakes learn.

  learned(info: ReadonlyMap<string, string>): void {
    this.info = info
    this.runId = info.get('run_id') ?? ''
  }

  noResp3(): void {
    if (this.resp3)
      this.env.log.warn({ upstream: this.options.name }, 'the upstream has no RESP3: HELLO 3 is answered NOPROTO')
    this.resp3 = false
  }

  outputLimited(setting: string): void {
    if (this.saidLimited) return
    this.saidLimited = true
    this.env.log.warn(
      { upstream: this.options.name, setting },
      'the upstream limits the output of normal clients, and lanes are such clients: set client-output-buffer-limit normal 0 0 0',
    )
  }

  missing(power: Power, error: string): void {
    if (this.missed.has(power)) return
    this.missed.add(power)
    this.env.log.warn(
      { upstream: this.options.name, power, error },
      `the upstream's user may not do ${power.toUpperCase()}: ${POWERS[power]}; allow it with ACL SETUSER … +${power.replace(' ', '|')}`,
    )
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

  fault(error: unknown): void {
    this.env.fault(error)
  }

  putBack(connection: Connection, x: Exchange, error: string): boolean {
    if (connection.kind === 'pin') return false
    const kind = /^-(READONLY|LOADING|MASTERDOWN|NOAUTH) /.exec(error)?.[1]
    // NOAUTH: the password was changed; a new lane will log in with ours, or tell that it cannot.
    if (kind === undefined || (this.replicaOnPurpose && (kind === 'READONLY' || kind === 'MASTERDOWN'))) return false
    const set = this.opened.get(connection)?.set
    if (set === undefined) return false
    // The lane finishes what is in flight; a new one resolves the name again and looks at INFO before it is used.
    for (const lane of set.connections) if (lane.ready) lane.retired = true
    set.putBack(x, Buffer.from(error, 'latin1'))
    set.open()
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
        if (!this.stopped) this.env.log.warn({ upstream: this.options.name, why }, 'upstream connections lost')
        this.saidDownAt = this.clock.now
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
    for (const x of lost.unknown) {
      if (x.inTransaction && x.spec.name !== 'exec') fail(x, 'EXECABORT')
      else if (x.spec.route === 'blocking' && this.mayReissue(x)) this.requeue(x)
      else fail(x, 'OUTCOMEUNKNOWN')
    }
    for (const x of lost.repeat) {
      if (x.inTransaction) fail(x, 'EXECABORT')
      else this.requeue(x)
    }
  }

  private mayReissue(x: Exchange): boolean {
    return this.options.reissueBlocked && !x.client.gone
  }

  private requeue(x: Exchange): void {
    x.client.pending--
    x.client.requeue(x)
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
    if (this.retiring && ![...this.opened.keys()].some((one) => one.queue.length > 0 || one.holder !== undefined)) {
      this.stop()
      return
    }
    this.fence.kill()
    for (const set of this.allSets()) {
      set.expire(now)
      if (set.held.count > 0) set.release()
    }
    this.pinPool.expire(now)
    if (this.downSince !== undefined && now - this.saidDownAt > 60_000) {
      this.saidDownAt = now
      this.env.log.warn({ upstream: this.options.name, why: this.lastWhy }, 'upstream is not usable; trying on')
    }
  }

  private inspect(connection: Connection, now: number): void {
    const { request } = this.options.timeouts
    if (connection.queue.head !== undefined) {
      checkTimeOuts(connection, now, request)
    } else if (connection.retired) {
      connection.close('retired')
    } else if (connection.holder === undefined && now - connection.lastBytesAt > this.options.keepAlive) {
      // Not on a pin that is lent: inside MULTI the PING would be queued.
      this.control.ask(connection, ['PING'], now, request, () => undefined)
    }
  }

  view(): NodeView {
    let sent = 0
    let scheduled = 0
    let abandoned = 0
    let sentBytes = 0
    const connections = { lane: 0, bulk: 0, pin: 0, connecting: 0 }
    for (const connection of this.opened.keys()) {
      if (connection.ready) connections[connection.kind]++
      else connections.connecting++
      for (let x = connection.queue.head; x !== undefined; x = x.next) {
        if (x.place === 'scheduled') scheduled++
        else if (x.place === 'abandoned') abandoned++
        else sent++
      }
      sentBytes += connection.queue.inFlight + connection.queue.waiting
    }
    let held = 0
    let heldBytes = 0
    let oldest = 0
    for (const set of this.allSets()) {
      held += set.held.count
      heldBytes += set.held.bytes
      if (set.held.oldest !== undefined) oldest = Math.max(oldest, this.clock.now - set.held.oldest)
    }
    return {
      connections,
      places: { sent, scheduled, abandoned, held },
      bytes: { sent: sentBytes, held: heldBytes },
      oldest,
      pins: this.pinPool.view(),
    }
  }
}

export interface NodeView {
  readonly connections: { lane: number; bulk: number; pin: number; connecting: number }
  readonly places: { sent: number; scheduled: number; abandoned: number; held: number }
  readonly bytes: { sent: number; held: number }
  /** Milliseconds for which the oldest held request has waited. */
  readonly oldest: number
  readonly pins: ReturnType<Pins['view']>
}
