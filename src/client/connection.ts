import type { Socket } from 'node:net'
import { ERROR_BYTES } from '../errors.ts'
import type { Flushable } from '../lib/turn.ts'
import { Wire, type WireOwner } from '../lib/wire.ts'
import { RequestReader } from '../resp/request-reader.ts'
import type { RequestSink } from '../resp/types.ts'
import type { Authenticator, Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import { adopt } from './adopt.ts'
import { ClientExchanges, FLUSH_AT } from './client-exchanges.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { MemoryHolder } from './memory.ts'
import { placeMonitor } from './monitor.ts'
import { Stall } from './stall.ts'

/** Unanswered requests of one client, in bytes, from which it is not read for a while. */
const READ_AHEAD = 1024 * 1024

/** Milliseconds in which a blocking command that came with the client's FIN may be answered. */
const FIN_GRACE = 25

/**
 * One client's socket and life: bytes in, requests to the dispatcher, replies out, one write per turn. The main loop is
 * onBytes -> RequestReader -> onRequest -> Dispatcher -> Router; replies come back through ClientExchanges.
 */
export class ClientConnection extends ClientExchanges implements WireOwner, Flushable, RequestSink, MemoryHolder {
  dirty = false
  charged = 0
  /** CLIENT KILL has met it. */
  killed = false
  private keptBytes = 0
  private unstalling = false
  /** Set once no more requests are taken: after QUIT, a protocol error, the client's FIN, or while draining. */
  private ending = false
  /** QUIT or a protocol error: what was read behind it does not count. */
  private closed = false
  /** A protocol error that waits for stalled requests in front of it. */
  private lastWords: Buffer | undefined = undefined
  private readonly reader: RequestReader
  private readonly wire: Wire
  private readonly stallQueue = new Stall()

  constructor(socket: Socket, session: Session, dispatcher: Dispatcher) {
    super(session, dispatcher)
    this.reader = new RequestReader(this.env.limits)
    this.wire = new Wire(socket, this)
    if (session.tenant !== undefined) this.entered()
  }

  /** Nothing of this client is under way. */
  get idle(): boolean {
    return (
      this.replies.empty &&
      this.pending === 0 &&
      this.router.waiting === 0 &&
      this.reader.pendingBytes === 0 &&
      this.stallQueue.empty
    )
  }

  /** The session logged in (or RESET logged it out): limits, counters and database follow the tenant. */
  entered(): void {
    const tenant = this.session.tenant
    const before = this.stats
    before.clients -= this.tenantIndex >= 0 ? 1 : 0
    this.stats = this.env.stats(tenant)
    placeMonitor(this, before)
    this.tenantIndex = tenant === undefined ? -1 : this.env.indexOf(tenant)
    this.weight = tenant?.weight ?? 1
    if (tenant !== undefined) this.stats.clients++
    this.maxLag = maxLagOf(tenant)
    this.chain?.leave()
    this.chain = tenant === undefined ? undefined : this.env.chain(this.session)
    this.unseen = true
    this.node = tenant === undefined ? undefined : this.env.node(tenant)
    // What it has is the other tenant's.
    this.subscriptions?.drop()
    this.follow()
    this.reader.authenticated = tenant !== undefined
  }

  /** A client that is somebody before any AUTH: there may be no room for it. */
  welcome(): void {
    if (this.session.tenant === undefined || this.env.enter(this, this.session.tenant)) return
    this.stats.error('MAXCLIENTS')
    this.say(ERROR_BYTES.MAXCLIENTS)
    this.closeWhenAnswered()
  }

  /** The configuration was replaced. Redis, too, closes the connections of users that are gone, and keeps the others. */
  reconfigure(tenants: ReadonlyMap<string, Tenant>, authenticator: Authenticator): void {
    const { session } = this
    session.authenticator = authenticator
    if (session.tenant === undefined) return
    const tenant = tenants.get(session.tenant.name)
    if (tenant === undefined || !tenant.users.has(session.user)) {
      this.cut()
      return
    }
    session.tenant = tenant
    this.weight = tenant.weight
    this.maxLag = maxLagOf(tenant)
    this.chain?.leave()
    this.chain = this.env.chain(session)
    adopt(this.replies, this.chain)
    const before = this.node
    this.node = this.env.node(tenant)
    if (this.node !== before) this.subscriptions?.moveTo(this.dispatcher.pubsub.pubsub.of(this.node, tenant))
    this.router.moveTo(this.node)
    this.follow()
  }

  private follow(): void {
    if ((this.session.tracking ?? this.tracker ?? this.pausedTracker) !== undefined) this.env.tracking.follow(this)
  }

  // Bytes in.

  onBytes(buf: Buffer, start: number, end: number): void {
    this.session.lastActive = this.env.clock.tick()
    this.stats.bytesIn += end - start
    try {
      this.reader.feed(buf, start, end, this)
    } catch (error) {
      // A bug of ours costs this client its connection, not the others theirs.
      this.env.fault(error)
      this.cut()
      return
    }
    const { unanswered } = this
    if (unanswered + this.reader.pendingBytes > (this.session.tenant?.buffers.request ?? READ_AHEAD)) {
      this.cutFor('REQUESTLIMIT')
      return
    }
    // While it is blocked, its FIN must be seen.
    if (unanswered > READ_AHEAD && !this.router.blocked) this.wire.pause()
    this.recharge()
  }

  /** Bytes of requests that have no answer yet, and of answers that wait for earlier ones. */
  private get unanswered(): number {
    return this.requestBytes + this.stallQueue.bytes + this.replies.earlyBytes
  }

  readOn(): void {
    // While it is blocked, its FIN must be seen.
    if (this.unanswered <= READ_AHEAD / 2 || this.router.blocked) this.wire.resume()
  }

  onRequest(buf: Buffer, start: number, end: number, argc: number, args: Int32Array): void {
    if (this.closed) return
    if (this.stallQueue.active) {
      this.stallQueue.add(buf.subarray(start, end))
      return
    }
    this.dispatcher.request(this, buf, start, end, argc, args)
  }

  get ownsBuffer(): boolean {
    return this.reader.owned
  }

  onProtocolError(text: string): void {
    this.stats.error('PROTOCOL')
    this.lastWords = Buffer.from(`-${text}\r\n`, 'latin1')
    if (this.stallQueue.active) this.ending = true
    else this.sayLastWords()
  }

  private sayLastWords(): void {
    if (this.lastWords === undefined) return
    if (this.session.replyMode !== 'off') this.say(this.lastWords)
    this.lastWords = undefined
    this.closeWhenAnswered()
  }

  onRequestLimit(): void {
    this.cutFor('REQUESTLIMIT')
  }

  stall(again?: Buffer): void {
    this.stallQueue.begin(again)
  }

  /** Looks at stalled requests as long as nothing is under way that they depend on. */
  private unstall(): void {
    this.unstalling = true
    while (this.stallQueue.active && this.quiet) this.stallQueue.release(this.env.limits, this)
    this.unstalling = false
    if (!this.stallQueue.active) this.sayLastWords()
  }

  // Replies out.

  wake(): void {
    if (!this.dirty) this.env.turn.add(this)
  }

  settled(): void {
    if (this.gone) return
    if (this.pending === 0) {
      this.keptBytes = 0
      this.router.resume()
    }
    this.replies.advance()
    this.tracker?.settle()
    // Behind that: what was stalled may make somebody else of the client.
    if (this.pending === 0 && this.stallQueue.active && !this.unstalling) {
      this.unstall()
      this.replies.advance()
    }
    this.readOn()
    if (this.ending) this.wake()
  }

  flush(): void {
    this.dirty = false
    if (this.gone) return
    this.replies.advance()
    const bytes = this.replies.outBytes
    if (bytes > 0) {
      this.stats.bytesOut += bytes
      this.wire.write(this.replies.take())
      if (this.wire.queued === 0) this.replies.written()
    }
    if (this.wire.queued + this.replies.earlyBytes + this.replies.parkedBytes > this.outputLimit) {
      this.cutFor(this.session.subscribed > 0 ? 'PUBSUBLIMIT' : 'OUTPUTLIMIT')
      return
    }
    this.recharge()
    if (this.ending && this.idle) this.wire.end()
  }

  /** Bytes; as in Redis, who is subscribed has a limit of its own. */
  private get outputLimit(): number {
    const { tenant, subscribed } = this.session
    if (tenant === undefined) return FLUSH_AT
    return subscribed > 0 ? tenant.buffers.pubsub : tenant.buffers.output
  }

  onDrain(): void {
    this.recharge()
  }

  kept(bytes: number): void {
    // It is put together, taken apart and written again: three copies at the worst.
    this.keptBytes = 3 * bytes
    this.recharge()
  }

  keeps(bytes: number): void {
    this.keptBytes = bytes
    this.recharge()
  }

  private recharge(): void {
    if (this.gone) return
    const bytes =
      this.reader.pendingBytes +
      this.stallQueue.bytes +
      this.requestBytes +
      this.replies.earlyBytes +
      this.replies.parkedBytes +
      this.replies.outBytes +
      this.wire.queued +
      this.keptBytes +
      (this.transaction?.bytes ?? 0) +
      (this.subscriptions?.bytes ?? 0) +
      (this.tracker?.bytes ?? 0)
    if (bytes === this.charged) return
    const before = this.charged
    this.charged = bytes
    this.env.memory.charge(this, before, bytes)
  }

  // The end.

  /** Answers what is under way, then closes. */
  closeWhenAnswered(): void {
    this.closed = true
    this.ending = true
    this.reader.stop()
    // Its replies are all that it still gets.
    this.session.monitoring = false
    placeMonitor(this, this.stats)
    this.env.tracking.leave(this)
    this.wake()
  }

  /** FIN. Redis closes at once; what it had read is executed, so that is waited for, unless it would wait too. */
  onEnd(): void {
    // What is not a whole request by now will never be one.
    this.reader.stop()
    this.ending = true
    this.wake()
    this.watchAfterFin()
  }

  /**
   * Until all is answered: a command that was sent just now may have its answer on the way; one that blocks, now or
   * later, must not take anything any more.
   */
  private watchAfterFin(): void {
    if (this.gone || this.idle) return
    const blocked = this.router.blockedFor(this.env.clock.tick()) > FIN_GRACE
    if (blocked || this.router.held || this.env.gates.pauses(this)) this.cut()
    else setTimeout(() => this.watchAfterFin(), FIN_GRACE + 1)
  }

  /** While draining: closes when nothing is under way, blocked commands too once `impatient`. */
  drain(impatient: boolean): void {
    if (impatient && this.router.blocked) this.cut()
    else if (this.idle && !this.transactional) this.closeWhenAnswered()
  }

  relieve(): void {
    this.cutFor('MEMORY')
  }

  private cutFor(code: 'REQUESTLIMIT' | 'OUTPUTLIMIT' | 'PUBSUBLIMIT' | 'MEMORY'): void {
    this.stats.error(code)
    const { session } = this
    this.env.notices.cut(session.tenant?.name ?? '-', session.address, code, this.env.clock.now)
    this.cut()
  }

  /** Bytes of requests that are not whole, or not looked at yet. */
  get inputBytes(): number {
    return this.reader.pendingBytes + this.stallQueue.bytes
  }

  /** Bytes of replies that the kernel has not taken yet. */
  get outputBytes(): number {
    return this.wire.queued + this.replies.outBytes + this.replies.earlyBytes
  }

  /** CLIENT KILL: closes when the request at hand, somebody else's or its own, is done. */
  kill(): void {
    this.killed = true
    // Not from here: giving its connection back may start requests of others, in the middle of the killer's.
    setImmediate(() => {
      this.wire.close()
      this.leave()
    })
  }

  /** Closes now. */
  cut(): void {
    this.wire.reset()
    this.leave()
  }

  onClosed(): void {
    this.leave()
  }

  private leave(): void {
    if (this.gone) return
    this.gone = true
    this.reader.stop()
    this.stallQueue.drop()
    this.replies.take()
    this.subscriptions?.drop()
    this.env.tracking.leave(this)
    this.chain?.leave()
    this.router.leave()
    if (this.charged > 0) this.env.memory.charge(this, this.charged, 0)
    this.charged = 0
    if (this.tenantIndex >= 0) this.stats.clients--
    placeMonitor(this, this.stats)
    if (this.env.gates.closed) this.env.gates.forget(this)
    this.env.left(this)
  }
}

/** 0: it reads the primary. */
function maxLagOf(tenant: Tenant | undefined): number {
  return tenant?.replicas.read === 'prefer' ? tenant.replicas.maxLag : 0
}
