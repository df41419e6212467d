import type { Socket } from 'node:net'
import type { Exchange, ExchangeClient, Via } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'
import type { Clock } from '../lib/clock.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import { Slab } from '../lib/slab.ts'
import type { Flushable, Turn } from '../lib/turn.ts'
import { Wire, type WireOwner } from '../lib/wire.ts'
import { BadReply } from '../resp/reply-scanner.ts'
import { PUSH } from '../resp/type-bytes.ts'
import { ExchangeQueue } from './exchange-queue.ts'
import { notLetIn } from './failure.ts'
import { Interruption } from './interruption.ts'
import { DEMOTED, ReplyPath, type ReplyPathHost } from './reply-path.ts'
import type { Sharing } from './sharing.ts'

const MOVES = {
  connecting: ['handshake', 'closed'],
  handshake: ['ready', 'closed'],
  ready: ['closed'],
  closed: [],
} as const
type State = keyof typeof MOVES

/** What a connection asks of the node it belongs to. */
export interface ConnectionHost {
  readonly turn: Turn
  readonly clock: Clock
  /** Milliseconds for which a request may be put back. */
  readonly holdTime: number
  /** Bytes from which a reply counts as big. */
  readonly bulk: number
  /** `sharing`: how tenants share the lanes; undefined: first come, first served. */
  readonly lanesets: { readonly sharing: Sharing | undefined }
  /** x was answered by an error (CRLF included). True: it was not executed (READONLY, LOADING …), and the host keeps x. */
  putBack(connection: Connection, x: Exchange, error: string): boolean
  /** This error says that the server cannot execute anything now (READONLY, LOADING …), and that is not meant to be so. */
  doubts(error: string): boolean
  /** x, which only reads, was executed although an earlier request of its client may have been put back. True: the host keeps it. */
  tooEarly(connection: Connection, x: Exchange): boolean
  /** A request of this client was executed although an earlier one was put back. */
  overtaken(client: ExchangeClient): void
  /** The reply to x was big and came on a lane for small ones. */
  bigReply(x: Exchange): void
  /** The connection is closed; `left` are the exchanges of its queue, oldest first, sent, abandoned or scheduled. */
  closed(connection: Connection, left: Exchange | undefined, why: string): void
  /** A bug of ours. */
  fault(error: unknown): void
}

/** Speaks for a connection before it is ready: its own requests, its own replies. */
export interface Handshake {
  /** The bytes to send first. */
  begin(): Buffer
  /** One whole reply; returns bytes to send now, 'ready', or throws an Error with what is wrong. */
  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined
}

/** `lane` and `bulk` are shared by many clients, a `pin` belongs to one. */
export type ConnectionKind = 'lane' | 'bulk' | 'pin'

/** One socket to a server, with the exchanges that are on it. Writes once per turn what fits the window. */
export class Connection implements Via, Flushable, WireOwner, ReplyPathHost {
  readonly kind: ConnectionKind
  readonly protocol: 2 | 3
  readonly queue: ExchangeQueue
  /** Gets the bytes of requests that will be scheduled here. */
  readonly slab = new Slab()
  /** CLIENT ID at the server, 0 until known; set by the handshake. */
  id = 0
  /** run_id of the server at the other end; '' where INFO is closed to us. */
  runId = ''
  dirty = false
  /** Clock time. */
  lastBytesAt: number
  /** Finishes what it has and takes nothing new. */
  retired = false
  /** Writes, or all requests, wait for the end of a suspension: who has something here cannot go on here. */
  suspended = false
  /** What is not sent stays so. Of pins. */
  frozen = false
  readonly interruption = new Interruption()
  wasReady = false
  /** Rises whenever the server turns out to be another one, which may lack what was written before. */
  epoch = 0
  /** Of the service user, who may run no scripts: what runs as somebody else comes between two logins. */
  service = false
  /** For pins: the tenant as whose user it is logged in; undefined: no tenant's. */
  as: string | undefined = undefined
  /** For pins: who has it; undefined while it rests in the pool. */
  holder: ExchangeClient | undefined = undefined
  private readonly life = new Lifecycle<State>('connecting', MOVES)
  private readonly host: ConnectionHost
  private readonly handshake: Handshake
  private readonly onReady: (connection: Connection) => void
  private readonly wire: Wire
  private readonly replyPath: ReplyPath
  /** The beginning of a reply to the handshake. */
  private greeting: Buffer[] = []
  /** Clock time at which something was written while nothing else was under way; 0: that has been answered. */
  private askedAt = 0
  private readonly sharing: Sharing | undefined

  constructor(
    kind: ConnectionKind,
    protocol: 2 | 3,
    socket: Socket,
    handshake: Handshake,
    host: ConnectionHost,
    onReady: (connection: Connection) => void,
  ) {
    this.kind = kind
    this.protocol = protocol
    this.host = host
    this.handshake = handshake
    this.onReady = onReady
    this.sharing = kind === 'pin' ? undefined : host.lanesets.sharing
    this.queue = new ExchangeQueue(this.sharing)
    this.replyPath = new ReplyPath(this.queue, this)
    this.lastBytesAt = host.clock.now
    this.wire = new Wire(socket, this)
    socket.setNoDelay(true)
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      this.life.enter('handshake')
      this.wire.begin()
      this.lastBytesAt = this.host.clock.tick()
      this.wire.write([this.handshake.begin()])
    })
  }

  get ready(): boolean {
    return this.life.state === 'ready'
  }

  get shared(): boolean {
    return this.kind !== 'pin'
  }

  get bulk(): number {
    return this.kind === 'lane' ? this.host.bulk : Number.POSITIVE_INFINITY
  }

  fits(protocol: 2 | 3, bulk: boolean): boolean {
    if (this.life.state !== 'ready' || this.retired || this.suspended) return false
    return this.kind === 'pin' || (protocol === this.protocol && bulk === (this.kind === 'bulk'))
  }

  schedule(x: Exchange): void {
    if (x.as !== undefined && !(this.shared ? this.service : this.as === x.as.name)) {
      // Its logins, or the lack of them, would not keep it from running as whoever this is.
      notLetIn(x)
      return
    }
    if ((x.spec.flags & FLAG.READONLY) === 0) {
      const { client } = x
      if (client.waited) {
        client.waited = false
        client.wroteIn = this.epoch
      }
      client.unseen = true
    }
    this.queue.schedule(x)
    if (!this.dirty) this.host.turn.add(this)
  }

  flush(): void {
    this.dirty = false
    if (this.life.state !== 'ready' || this.frozen || !this.queue.sendable) return
    const { now } = this.host.clock
    if (this.queue.next === undefined) this.askedAt = now
    // Under a standing load it never is empty: so once in a while it is let run dry.
    else if (this.sharing?.outdated(now) === true) return
    const parts = this.queue.gather(now)
    if (parts.length > 0) this.wire.write(parts)
  }

  /**
   * Sends what has been scheduled in this turn. Who has something here schedules nothing more; of what does not fit the window,
   * what `waits` is not sent. A pin sends nothing at all.
   */
  suspend(waits: (x: Exchange) => boolean): void {
    if (!this.suspended) this.flush()
    this.suspended = true
    if (this.kind === 'pin') this.frozen = true
    else this.queue.park(waits)
  }

  resume(): void {
    this.suspended = false
    this.frozen = false
    this.queue.unpark()
    if (this.queue.sendable && !this.dirty) this.host.turn.add(this)
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.lastBytesAt = this.host.clock.tick()
    if (this.askedAt > 0) this.sharing?.answered(this.lastBytesAt - this.askedAt, this.epoch, this.lastBytesAt)
    this.askedAt = 0
    try {
      const at = this.life.state === 'ready' ? start : this.greet(buf, start, end)
      if (at < end) this.replyPath.take(buf, at, end, this.wire.stableReads)
    } catch (error) {
      if (!(error instanceof BadReply)) this.host.fault(error)
      this.close(error instanceof BadReply ? `bytes that are not RESP (${error.message})` : 'a bug in Keyward')
    }
    if (this.queue.sendable && !this.dirty) this.host.turn.add(this)
  }

  /** Replies of the handshake. Returns where those of exchanges begin, or `end`. */
  private greet(buf: Buffer, start: number, end: number): number {
    const { scanner } = this.replyPath
    let pos = start
    while (pos < end && this.life.state === 'handshake') {
      const next = scanner.scan(buf, pos, end)
      this.greeting.push(Buffer.from(buf.subarray(pos, next < 0 ? end : next)))
      const frame = Buffer.concat(this.greeting)
      if (frame.length > HANDSHAKE_BYTES) throw new BadReply('too many bytes during the handshake')
      if (next < 0) {
        this.greeting = [frame]
        return end
      }
      this.greeting = []
      pos = next
      if (scanner.type !== PUSH) this.proceed(scanner.type, frame)
    }
    return this.life.state === 'ready' ? pos : end
  }

  private proceed(type: number, frame: Buffer): void {
    let answer: Buffer | 'ready' | undefined
    try {
      answer = this.handshake.reply(type, frame)
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error))
      return
    }
    if (answer === 'ready') {
      this.life.enter('ready')
      this.wasReady = true
      this.onReady(this)
    } else if (answer !== undefined) {
      this.wire.write([answer])
    }
  }

  onEnd(): void {
    this.close('the server closed the connection')
  }

  onDrain(): void {}

  onClosed(error: Error | undefined): void {
    this.close(error === undefined ? 'the connection was closed' : error.message)
  }

  bigReply(x: Exchange): void {
    if (this.kind === 'lane') this.host.bigReply(x)
  }

  tooEarly(x: Exchange): boolean {
    return this.host.tooEarly(this, x)
  }

  ends(error: string): boolean {
    return this.host.doubts(error.replace(WHY_ABORTED, '-'))
  }

  overtaken(client: ExchangeClient): void {
    this.host.overtaken(client)
  }

  takenBack(x: Exchange, error: string): boolean {
    if (this.kind !== 'pin') return this.host.putBack(this, x, error)
    const { now } = this.host.clock
    if (x.heldAt === 0) x.heldAt = now
    const demoted = error.startsWith(DEMOTED) || this.interruption.ended(x, error)
    if (!x.blocks) {
      // Of a client that watches keys, which are those of this server. But it is time to look where the primary is.
      this.host.doubts(error)
      return false
    }
    if (now - x.heldAt > this.host.holdTime && !demoted) return false
    return (demoted || this.host.doubts(error)) && x.client.reissue(x)
  }

  /** The reply to x, which is sent, has begun. */
  begun(x: Exchange): boolean {
    return this.replyPath.begun(x)
  }

  /** Closes at once, by a reset; the host decides about what was in the queue. */
  close(why: string): void {
    if (!this.life.enter('closed')) return
    this.wire.reset()
    this.host.closed(this, this.queue.clear(), why)
  }
}

/** In front of the error that EXEC itself would have got. */
const WHY_ABORTED = /^-EXECABORT [^:]*: /

const HANDSHAKE_BYTES = 1024 * 1024
