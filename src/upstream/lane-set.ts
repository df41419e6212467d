import type { Exchange, ExchangeClient, Via } from '../commands/exchange.ts'
import { Backoff } from '../lib/backoff.ts'
import { Slab } from '../lib/slab.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Connection } from './connection.ts'
import { close, fail, type Lost, sortLost } from './failure.ts'
import { Held } from './held.ts'
import type { UpstreamOptions } from './options.ts'
import type { Refusals } from './refusals.ts'
import { type Sharing, WINDOW } from './sharing.ts'
import { isWrite } from './suspension.ts'

/** What makes lanes interchangeable. Identity: which user of the upstream they are logged in as. */
export interface LaneKey {
  readonly protocol: 2 | 3
  readonly identity: 'service'
  readonly size: 'normal' | 'bulk'
}

/** What a set of lanes asks of its node. */
export interface LaneHost {
  readonly options: Pick<UpstreamOptions, 'fairness'>
  readonly lanesets: { readonly sharing: Sharing | undefined }
  readonly facts: { readonly expiry: { readonly denied: boolean } }
  readonly lanes: number
  readonly holdMemory: number
  /** Of all sets. */
  readonly heldBytes: number
  readonly holdTime: number
  now(): number
  /** False while data of a lost connection may still be executed, or the server's role is in doubt. */
  readonly open: boolean
  /** It is known where the server is. */
  readonly located: boolean
  /** Writes have to wait: a failover is under way. */
  readonly writesWait: boolean
  /** Nothing is worth waiting for: the breaker is open, and has been for longer than a request may be held. */
  readonly failsFast: boolean
  readonly refusals: Refusals
  /** Some lane is ready. */
  readonly usable: boolean
  readonly resp3: boolean
  dialLane(key: LaneKey): Connection
  /** The breaker lets somebody try the server. */
  mayDial(): boolean
  /** A replica: what it cannot execute goes elsewhere, and does not wait here. */
  readonly sendsElsewhere: boolean
  /** Clock time from which the holding of a request counts that was received then. */
  heldSince(receivedAt: number): number
  /** The tenant's user is at the server, or cannot be had. False: it is being made; what is held is released again then. */
  wallReady(as: Tenant): boolean
  /** Runs fn after `delay` milliseconds, or when the server is back, unless the node was stopped. */
  later(delay: number, fn: () => void): void
}

/** A lane with more than this queued makes the next request look for, or open, another. */
const BUSY = WINDOW / 4

/**
 * The lanes of one key, and the held requests in front of them. The first lane is filled before the next is used:
 * few full connections make bigger batches than many half-empty ones, for us and for Redis.
 */
export class LaneSet implements Via {
  readonly key: LaneKey
  readonly held = new Held()
  connections: Connection[] = []
  /** Where requests are written that find no lane ready. */
  private readonly spare = new Slab()
  private readonly host: LaneHost
  private readonly sharing: Sharing | undefined
  private readonly backoff = new Backoff(50, 2000)
  private opening = false
  /** Its last lane was lost, or could not be had, though those of another set may still look well. */
  private lost = false
  /** Answers to requests that were put back, until it is known whether they may be sent again. */
  private readonly putBacks = new Map<Exchange, Buffer>()

  constructor(key: LaneKey, host: LaneHost) {
    this.key = key
    this.host = host
    this.sharing = host.lanesets.sharing
  }

  fits(protocol: 2 | 3, bulk: boolean): boolean {
    return protocol === this.key.protocol && bulk === (this.key.size === 'bulk')
  }

  /** Where a request that is about to be scheduled here should be written. */
  slab(client: ExchangeClient): Slab {
    const via = client.via
    if (client.pending > 0 && via !== undefined)
      return 'slab' in via && via.slab instanceof Slab ? via.slab : this.spare
    const lane = this.host.open ? this.pick() : undefined
    return lane === undefined ? this.spare : lane.slab
  }

  /** x is counted in its client's `pending` already. */
  schedule(x: Exchange): void {
    if (this.host.failsFast) {
      this.host.refusals.breaker++
      fail(x, 'UPSTREAMDOWN')
      return
    }
    const lane = this.mayPass(x) ? this.pick() : undefined
    if (lane === undefined) {
      this.hold(x)
      return
    }
    x.client.via = lane
    lane.schedule(x)
  }

  private mayPass(x: Exchange): boolean {
    const { host } = this
    if (!host.open) return false
    if (!host.writesWait) return this.held.count === 0
    // While writes wait, reads go on: those of clients of whom nothing waits here.
    return !isWrite(x) && (x.client.via !== this || x.client.pending === 1)
  }

  /** A lane that takes requests now; undefined: none. */
  lane(client: ExchangeClient): Connection | undefined {
    return this.host.open && !client.gone ? this.pick() : undefined
  }

  private hold(x: Exchange): void {
    x.client.via = this
    x.own()
    this.open()
    // Behind the barrier it may have waited for others that were held: that time counts.
    if (x.heldAt === 0) x.heldAt = this.host.heldSince(x.receivedAt)
    // Of an upstream that is there, only this set's first lane is being opened: `buffers.request` is limit enough. Not so while
    // all wait for the fence around what another set has lost.
    const away = this.lost || !this.host.usable || this.host.writesWait || !this.host.open
    if (away && this.host.heldBytes + x.size > this.host.holdMemory) {
      this.host.refusals.memory++
      fail(x, 'UPSTREAMDOWN')
    } else {
      this.held.add(x, this.host.now())
    }
  }

  /**
   * The first lane that is not busy, else the least busy one; opens another when all are. While tenants share, it is the first,
   * however long its queue: they take turns in one queue, and a second lane would only put more of the flood in front of them.
   */
  private pick(): Connection | undefined {
    const { sharing } = this
    const busy = sharing !== undefined && sharing.limit < WINDOW ? Number.POSITIVE_INFINITY : BUSY
    let best: Connection | undefined
    let load = Number.POSITIVE_INFINITY
    for (let i = 0; i < this.connections.length; i++) {
      const lane = this.connections[i]
      if (!lane.ready || lane.retired) continue
      const queued = lane.queue.inFlight + lane.queue.waiting
      if (queued < busy) return lane
      if (queued < load) {
        load = queued
        best = lane
      }
    }
    if (best !== undefined && this.connections.length < this.host.lanes) this.open()
    return best
  }

  /** Opens one more lane, unless one is on its way. */
  open(): void {
    if (this.opening || !this.host.located) return
    if (this.connections.filter((lane) => !lane.retired).length >= this.host.lanes) return
    this.opening = true
    this.connections.push(this.host.dialLane(this.key))
  }

  ready(): void {
    this.opening = false
    this.lost = false
    this.backoff.reset()
  }

  /** A lane is gone. What may be repeated goes to held before any request that comes later. */
  closed(lane: Connection, left: Exchange | undefined, wasReady: boolean): void {
    this.connections = this.connections.filter((other) => other !== lane)
    if (!wasReady) this.opening = false
    if (!lane.retired) this.lost = true
    const lost = sortLost(left)
    if (this.host.sendsElsewhere) requeue(lost)
    const now = this.host.now()
    for (const x of lost.repeat) {
      x.client.via = this
      // A reply that breaks its connection every time would otherwise break one after the other.
      const late = x.heldAt !== 0 && now - x.heldAt >= this.host.holdTime
      const full = this.host.heldBytes + x.size > this.host.holdMemory
      if (!x.client.gone && !late && !full) {
        this.held.add(x, now)
        continue
      }
      // Of a client that has left, it is dropped: nobody is refused anything.
      if (!x.client.gone && x.place !== 'sent') this.host.refusals[late ? 'time' : 'memory']++
      lost.unknown.push(x)
    }
    for (const x of lost.unknown) fail(x, x.place === 'sent' ? 'OUTCOMEUNKNOWN' : 'UPSTREAMDOWN')
    for (const x of lost.abandoned) close(x)
    this.reopen()
  }

  /** There is always one lane, or one on its way. */
  private reopen(): void {
    if ((this.key.protocol === 3 && !this.host.resp3) || !this.host.located) return
    if (this.opening || this.connections.some((lane) => lane.ready && !lane.retired)) return
    this.opening = true
    this.host.later(this.backoff.next(), () => {
      this.opening = false
      if (this.connections.some((lane) => lane.ready && !lane.retired)) return
      if (!this.host.mayDial()) {
        this.reopen()
        return
      }
      this.opening = true
      this.connections.push(this.host.dialLane(this.key))
    })
  }

  /** The server is another one now: nothing is waited for that was about the old one. */
  renew(): void {
    this.backoff.reset()
    this.reopen()
  }

  /** All that is held, for another node to take over. */
  surrender(): Exchange[] {
    this.putBacks.clear()
    return this.held.take(() => true)
  }

  /** Takes over what another node held. */
  adopt(held: readonly Exchange[]): void {
    for (const x of held) {
      x.client.via = this
      this.held.add(x, this.host.now())
    }
    if (this.held.count > 0) this.open()
    this.release()
  }

  /** x was answered `error` and not executed: unsent again. Later requests of its client queue behind it. */
  putBack(x: Exchange, error: Buffer): void {
    x.client.via = this
    this.putBacks.set(x, error)
    this.held.add(x, this.host.now())
  }

  /** x reads, and was executed before what was put back of its client: it is put back behind that. */
  tooEarly(x: Exchange): boolean {
    if (this.putBacks.size === 0 || x.client.via !== this) return false
    this.held.add(x, this.host.now())
    return true
  }

  /** Something later of this client was executed: what was put back would now come too late. */
  overtaken(client: ExchangeClient): void {
    if (this.putBacks.size === 0) return
    for (const x of this.held.take((one) => one.client === client && this.putBacks.has(one))) this.refuse(x)
  }

  /** Those that were put back will not be executed by this server: they get its own answer. */
  passOnRefusals(): void {
    if (this.putBacks.size === 0) return
    for (const x of this.held.take((one) => this.putBacks.has(one))) this.refuse(x)
  }

  private refuse(x: Exchange): void {
    const error = this.putBacks.get(x)
    this.putBacks.delete(x)
    if (error !== undefined) x.client.deliver(x, ERROR, error, 0, error.length, true)
    close(x)
  }

  /** Sends what is held, as far as a lane is ready. */
  release(): void {
    // What was put back must not overtake what was sent behind it and may yet be executed.
    if (this.putBacks.size > 0 && this.connections.some((lane) => lane.retired && lane.queue.length > 0)) return
    if (this.host.writesWait) this.releaseReads()
    while (this.held.count > 0 && this.host.open && !this.host.writesWait) {
      const lane = this.pick()
      if (lane === undefined) return
      const as = this.held.first?.as
      // What is behind it waits with it, so that the order holds.
      if (as !== undefined && !this.host.wallReady(as)) return
      const x = this.held.shift() as Exchange
      if (as !== undefined) x.client.reaim?.(x)
      this.putBacks.delete(x)
      const client = x.client
      if (client.gone) {
        fail(x, 'UPSTREAMDOWN')
        continue
      }
      // It came before the server could be asked.
      if (x.behind > 0 && this.host.facts.expiry.denied) {
        fail(x, 'NOEXPIRY')
        continue
      }
      // All of one client on one lane; via is still this set for the first of them.
      if (client.via === this || !client.via?.fits(this.key.protocol, this.key.size === 'bulk')) client.via = lane
      client.via.schedule(x)
    }
  }

  /** While writes wait: those of clients that only read. They came when no lane was ready, and would wait for what does not concern them. */
  private releaseReads(): void {
    const lane = this.held.count > 0 && this.host.open ? this.pick() : undefined
    if (lane === undefined) return
    const writers = new Set<ExchangeClient>()
    for (const x of this.held.all()) if (isWrite(x)) writers.add(x.client)
    for (const x of this.held.take((one) => !writers.has(one.client))) {
      if (x.client.gone) {
        fail(x, 'UPSTREAMDOWN')
        continue
      }
      x.client.via = lane
      lane.schedule(x)
    }
  }

  /** Fails what has been held longer than hold.time. */
  expire(now: number): void {
    if (this.held.count === 0) return
    for (const x of this.held.take((one) => now - one.heldAt >= this.host.holdTime)) {
      if (this.putBacks.has(x)) {
        this.refuse(x)
        continue
      }
      if (!x.client.gone) this.host.refusals.time++
      fail(x, 'UPSTREAMDOWN')
    }
  }
}

/** Their clients find another way for them. */
function requeue(lost: Lost): void {
  const again = new Map<ExchangeClient, Exchange[]>()
  for (const x of lost.repeat.splice(0)) {
    const { client } = x
    if (client.gone) {
      lost.unknown.push(x)
      continue
    }
    const others = again.get(client)
    if (others === undefined) again.set(client, [x])
    else others.push(x)
  }
  for (const [client, exchanges] of again) {
    client.pending -= exchanges.length
    client.requeue(exchanges)
  }
}

const ERROR = 0x2d
