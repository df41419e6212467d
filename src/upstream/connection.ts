import type { Socket } from 'node:net'
import type { Exchange, ExchangeClient, Via } from '../commands/exchange.ts'
import type { Clock } from '../lib/clock.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import { Slab } from '../lib/slab.ts'
import type { Flushable, Turn } from '../lib/turn.ts'
import { Wire, type WireOwner } from '../lib/wire.ts'
import { BadReply, ReplyScanner } from '../resp/reply-scanner.ts'

/**
 * One socket to a server: a queue of exchanges, the first of them sent and waiting for replies in order, the rest
 * not yet written.
 *
 *     head -> x -> x -> x -> x -> x -> tail
 *     |    sent    |      scheduled
 *                  unsent
 *
 * A flush writes, once per turn, what fits the in-flight window. Sent means handed to write(); what is only
 * scheduled can still be moved to another connection. A lane is shared by many clients, a pin belongs to one.
 */

/** Bytes of requests that may be sent and unanswered on one connection. */
export const WINDOW = 1024 * 1024
/** A reply that is still incomplete after so many bytes is passed on as it comes, instead of being kept. */
const STREAM_FROM = 64 * 1024

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
  readonly bulk: number
  /** x was answered by an error (CRLF included). True: it was not executed (READONLY, LOADING …), and the host keeps x. */
  putBack(connection: Connection, x: Exchange, error: string): boolean
  /** x was executed although an earlier request of its client, sent on the same connection, was put back. */
  overtaken(client: ExchangeClient): void
  fault(error: unknown): void
  /** A reply of `bytes` bytes, over the bulk size, came on a shared lane. */
  bigReply(x: Exchange): void
  /** The connection is closed; `left` are the exchanges of its queue, oldest first, in places sent, abandoned or scheduled. */
  closed(connection: Connection, left: Exchange | undefined, why: string): void
}

/** Speaks for a connection before it is ready: its own requests, its own replies. */
export interface Handshake {
  /** The bytes to send first. */
  begin(): Buffer
  /** One whole reply; returns bytes to send now, 'ready', or throws an Error with what is wrong. */
  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined
}

export type ConnectionKind = 'lane' | 'bulk' | 'pin'

export class Connection implements Via, Flushable, WireOwner {
  readonly kind: ConnectionKind
  readonly protocol: 2 | 3
  /** CLIENT ID at the server, 0 until known; set by the handshake. */
  id = 0
  /** Gets the bytes of requests that will be scheduled here. */
  readonly slab = new Slab()
  dirty = false
  /** Exchanges in the queue, and how many of them are abandoned. */
  length = 0
  abandoned = 0
  /** Bytes sent and unanswered, and bytes scheduled. */
  inFlight = 0
  waiting = 0
  lastBytesAt: number
  /** Clock time at which it became idle or was opened. */
  idleSince: number
  /** Finishes what it has and takes nothing new. */
  retired = false
  wasReady = false
  /** For pins: who has it; undefined while it rests in the pool. */
  holder: ExchangeClient | undefined = undefined
  head: Exchange | undefined = undefined
  private tail: Exchange | undefined = undefined
  private unsent: Exchange | undefined = undefined
  private readonly life = new Lifecycle<State>('connecting', MOVES)
  private readonly host: ConnectionHost
  private readonly handshake: Handshake
  private readonly onReady: (connection: Connection) => void
  private readonly wire: Wire
  private readonly scanner = new ReplyScanner()
  /** The beginning of a reply whose end has not come yet. */
  private parts: Buffer[] = []
  private partBytes = 0
  private why = ''

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
    this.lastBytesAt = host.clock.now
    this.idleSince = host.clock.now
    this.wire = new Wire(socket, this)
    socket.setNoDelay(true)
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      this.life.enter('handshake')
      this.wire.begin()
      this.lastBytesAt = this.host.clock.tick()
      this.wire.write([this.handshake.begin()])
    })
  }

  get state(): State {
    return this.life.state
  }

  get ready(): boolean {
    return this.life.state === 'ready'
  }

  fits(protocol: 2 | 3, bulk: boolean): boolean {
    return (
      this.life.state === 'ready' &&
      !this.retired &&
      (this.kind === 'pin' || (protocol === this.protocol && bulk === (this.kind === 'bulk')))
    )
  }

  schedule(x: Exchange): void {
    x.moveTo('scheduled')
    x.next = undefined
    if (this.tail === undefined) this.head = x
    else this.tail.next = x
    this.tail = x
    if (this.unsent === undefined) this.unsent = x
    this.length++
    this.waiting += x.size
    if (!this.dirty) this.host.turn.add(this)
  }

  flush(): void {
    this.dirty = false
    if (this.life.state !== 'ready' || this.unsent === undefined) return
    const now = this.host.clock.now
    const parts: Buffer[] = []
    // Neighbours in the same slab become one span.
    let bytes: Buffer | undefined
    let start = 0
    let end = 0
    let x: Exchange | undefined = this.unsent
    do {
      x.moveTo('sent')
      x.since = now
      const size = x.size
      this.inFlight += size
      this.waiting -= size
      if (x.bytes === bytes && x.start === end) {
        end = x.end
      } else {
        if (bytes !== undefined) parts.push(bytes.subarray(start, end))
        bytes = x.bytes
        start = x.start
        end = x.end
      }
      if (x.tail !== undefined) {
        parts.push(bytes.subarray(start, end), x.tail)
        bytes = undefined
      }
      x = x.next
    } while (x !== undefined && this.inFlight < WINDOW)
    this.unsent = x
    if (bytes !== undefined) parts.push(bytes.subarray(start, end))
    this.wire.write(parts)
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.lastBytesAt = this.host.clock.tick()
    try {
      if (this.life.state === 'ready') this.replies(buf, start, end)
      else this.greet(buf, start, end)
    } catch (error) {
      if (!(error instanceof BadReply)) this.host.fault(error)
      this.close(error instanceof BadReply ? `bytes that are not RESP (${error.message})` : 'a bug in Keyward')
    }
  }

  /** The path of replies: find where each ends, hand neighbours for one client on as one span. */
  private replies(buf: Buffer, start: number, end: number): void {
    const scanner = this.scanner
    const stable = this.wire.stableReads
    let pos = start
    // The run: replies of one client, buf[runStart..runEnd), popped but not yet emitted.
    let runClient: ExchangeClient | undefined
    let runStart = 0
    let runEnd = 0
    while (pos < end) {
      const next = scanner.scan(buf, pos, end)
      if (next < 0) break
      const from = pos
      pos = next
      const type = scanner.type
      if (type === PUSH) {
        this.forgetParts()
        continue
      }
      const x = this.head
      if (x === undefined || x === this.unsent) {
        throw new BadReply('a reply that nobody asked for')
      }
      if (x.swallow > 0) {
        x.swallow--
        if (x.spec.quirk.fromNewest === true) {
          this.parts.push(buf.subarray(from, next))
          x.client.overheard(x, Buffer.concat(this.parts))
          this.partBytes++
        }
        this.forgetParts()
        continue
      }
      this.shift(x)
      const client = x.client
      if (
        x.place === 'sent' &&
        x.plain &&
        type !== ERROR &&
        this.partBytes === 0 &&
        next - from <= this.host.bulk &&
        client.pop(x)
      ) {
        x.moveTo('answered')
        client.pending--
        if (client === runClient) {
          runEnd = next
          continue
        }
        if (runClient !== undefined) {
          runClient.emit(buf, runStart, runEnd, stable)
          runClient.settled()
        }
        runClient = client
        runStart = from
        runEnd = next
        continue
      }
      if (runClient !== undefined) {
        runClient.emit(buf, runStart, runEnd, stable)
        runClient.settled()
        runClient = undefined
      }
      this.finish(x, type, buf, from, next, stable)
      if (this.life.state !== 'ready') return
    }
    if (runClient !== undefined) {
      runClient.emit(buf, runStart, runEnd, stable)
      runClient.settled()
    }
    if (pos < end) this.keepPart(buf, pos, end, stable)
    if (this.unsent !== undefined && !this.dirty && this.inFlight < WINDOW) this.host.turn.add(this)
  }

  /** Takes x, the head, out of the queue. */
  private shift(x: Exchange): void {
    this.head = x.next
    if (this.head === undefined) {
      this.tail = undefined
      this.idleSince = this.lastBytesAt
    }
    x.next = undefined
    this.length--
    this.inFlight -= x.size
  }

  /** Anything but a plain whole reply for the client's oldest request. */
  private finish(x: Exchange, type: number, buf: Buffer, from: number, to: number, stable: boolean): void {
    const client = x.client
    if (x.place === 'abandoned') {
      this.abandoned--
      this.forgetParts()
      x.moveTo('answered')
      client.pending--
      client.settled()
      return
    }
    const total = this.partBytes + to - from
    if (total > this.host.bulk && this.kind === 'lane') this.host.bigReply(x)
    if (x.streaming) {
      client.emit(buf, from, to, stable)
      client.pop(x)
    } else {
      let frame = buf
      let start = from
      let end = to
      let keep = stable
      if (this.partBytes > 0) {
        this.parts.push(buf.subarray(from, to))
        frame = Buffer.concat(this.parts)
        start = 0
        end = frame.length
        keep = true
      }
      if (type === ERROR && !x.inTransaction && this.takenBack(x, frame.toString('latin1', start, end))) {
        this.forgetParts()
        return
      }
      if (client.via !== this && this.kind !== 'pin') this.host.overtaken(client)
      client.deliver(x, type, frame, start, end, keep)
    }
    this.forgetParts()
    x.moveTo('answered')
    client.pending--
    client.settled()
  }

  /** x was not executed, and somebody keeps it to send it again. */
  private takenBack(x: Exchange, error: string): boolean {
    if (this.kind !== 'pin') return this.host.putBack(this, x, error)
    if (!x.blocks || !x.client.reissue(x, error)) return false
    return true
  }

  /** buf[pos..end) is the beginning, or the next piece, of the head's reply. */
  private keepPart(buf: Buffer, pos: number, end: number, stable: boolean): void {
    const x = this.head
    if (x === undefined || x === this.unsent) {
      // A push, or rubbish: bounded by the scanner's own limits for what is not a reply of anybody.
      if (this.partBytes > STREAM_FROM) throw new BadReply('a reply that nobody asked for')
      this.partBytes += end - pos
      return
    }
    if (x.place === 'abandoned' || (x.swallow > 0 && x.spec.quirk.fromNewest !== true)) return
    if (x.streaming) {
      x.client.emit(buf, pos, end, stable)
      return
    }
    this.parts.push(stable ? buf.subarray(pos, end) : Buffer.from(buf.subarray(pos, end)))
    this.partBytes += end - pos
    if (this.partBytes >= STREAM_FROM && x.plain && x.swallow === 0 && streams(this.parts[0][0]) && x.client.leads(x)) {
      x.streaming = true
      for (const part of this.parts) x.client.emit(part, 0, part.length, true)
      // partBytes goes on counting: it tells a big reply.
      this.parts = []
    }
  }

  private forgetParts(): void {
    if (this.partBytes === 0) return
    this.parts = []
    this.partBytes = 0
  }

  private greet(buf: Buffer, start: number, end: number): void {
    let pos = start
    while (pos < end) {
      const next = this.scanner.scan(buf, pos, end)
      if (next < 0) {
        this.parts.push(Buffer.from(buf.subarray(pos, end)))
        this.partBytes += end - pos
        if (this.partBytes > HANDSHAKE_BYTES) throw new BadReply('too many bytes during the handshake')
        return
      }
      this.parts.push(buf.subarray(pos, next))
      const frame = Buffer.concat(this.parts)
      this.parts = []
      this.partBytes = 0
      pos = next
      if (this.scanner.type === PUSH) continue
      let answer: Buffer | 'ready' | undefined
      try {
        answer = this.handshake.reply(this.scanner.type, frame)
      } catch (error) {
        this.close(error instanceof Error ? error.message : String(error))
        return
      }
      if (answer === 'ready') {
        this.life.enter('ready')
        this.wasReady = true
        this.idleSince = this.lastBytesAt
        this.onReady(this)
        if (pos < end && this.life.state === 'ready') this.replies(buf, pos, end)
        return
      }
      if (answer !== undefined) this.wire.write([answer])
    }
  }

  onEnd(): void {
    this.close('the server closed the connection')
  }

  onDrain(): void {}

  onClosed(error: Error | undefined): void {
    this.close(error === undefined ? 'the connection was closed' : error.message)
  }

  /** Marks x, which is sent, abandoned: its client has its answer, its slot still waits for the reply. */
  abandon(x: Exchange): void {
    x.moveTo('abandoned')
    this.abandoned++
    if (x === this.head && this.partBytes > 0) {
      // Its reply's first bytes are here; the rest is dropped as it comes.
      this.parts = []
    }
  }

  /** x's reply has begun. */
  begun(x: Exchange): boolean {
    return x === this.head && this.partBytes > 0
  }

  /** Closes at once, by a reset; the host decides about what was in the queue. */
  close(why: string): void {
    if (!this.life.enter('closed')) return
    this.why = why
    this.wire.reset()
    const left = this.head
    this.head = undefined
    this.tail = undefined
    this.unsent = undefined
    this.length = 0
    this.waiting = 0
    this.inFlight = 0
    this.host.closed(this, left, this.why)
  }
}

/** Errors are looked at whole, pushes and what follows attributes are not this request's reply for sure. */
function streams(firstByte: number): boolean {
  return firstByte !== ERROR && firstByte !== PUSH && firstByte !== ATTRIBUTE
}

const PUSH = 0x3e
const ATTRIBUTE = 0x7c
const ERROR = 0x2d
const HANDSHAKE_BYTES = 1024 * 1024
