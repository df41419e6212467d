import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import { Wire, type WireOwner } from '../lib/wire.ts'
import { BadReply, ReplyScanner } from '../resp/reply-scanner.ts'
import type { Handshake } from './connection.ts'

const MOVES = {
  connecting: ['handshake', 'closed'],
  handshake: ['ready', 'closed'],
  ready: ['closed'],
  closed: [],
} as const
type State = keyof typeof MOVES

/** Bytes of one frame that are kept until it is whole: the longest value of Redis, twice. */
const MOST_KEPT = 1024 * 1024 * 1024

/** What the connection asks of its subscriber. */
export interface SubscriberConnectionHost {
  readonly clock: Clock
  ready(): void
  /** One whole frame; valid during the call only. Throws BadReply. */
  frame(type: number, buf: Buffer, start: number, end: number): void
  closed(why: string): void
  /** A bug of ours. */
  fault(error: unknown): void
}

/** The socket of a subscriber: its login, then whole frames one by one. */
export class SubscriberConnection implements WireOwner {
  /** Clock time. */
  readonly since: number
  lastBytesAt: number
  private readonly life = new Lifecycle<State>('connecting', MOVES)
  private readonly host: SubscriberConnectionHost
  private readonly handshake: Handshake
  private readonly wire: Wire
  private readonly scanner = new ReplyScanner()
  /** The beginning of a frame whose end has not come yet, and its size so far. */
  private parts: Buffer[] = []
  private partBytes = 0

  constructor(socket: Socket, handshake: Handshake, host: SubscriberConnectionHost) {
    this.host = host
    this.handshake = handshake
    this.since = host.clock.now
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

  write(parts: readonly Buffer[]): void {
    this.wire.write(parts)
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.lastBytesAt = this.host.clock.tick()
    try {
      let pos = start
      while (pos < end && this.life.state !== 'closed') {
        const next = this.scanner.scan(buf, pos, end)
        if (next < 0) {
          this.keep(Buffer.from(buf.subarray(pos, end)))
          return
        }
        this.whole(buf, pos, next)
        pos = next
      }
    } catch (error) {
      if (!(error instanceof BadReply)) this.host.fault(error)
      this.close(error instanceof BadReply ? `not what a server says: ${error.message}` : 'a bug in Keyward')
    }
  }

  private keep(part: Buffer): void {
    this.parts.push(part)
    this.partBytes += part.length
    if (this.partBytes > MOST_KEPT) throw new BadReply('a message too big to be kept')
  }

  private whole(buf: Buffer, start: number, end: number): void {
    if (this.partBytes === 0) {
      this.take(buf, start, end)
      return
    }
    this.parts.push(buf.subarray(start, end))
    const frame = Buffer.concat(this.parts)
    this.parts = []
    this.partBytes = 0
    this.take(frame, 0, frame.length)
  }

  private take(buf: Buffer, start: number, end: number): void {
    const { type } = this.scanner
    if (this.life.state === 'ready') {
      this.host.frame(type, buf, start, end)
      return
    }
    let answer: Buffer | 'ready' | undefined
    try {
      answer = this.handshake.reply(type, Buffer.from(buf.subarray(start, end)))
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error))
      return
    }
    if (answer === 'ready') {
      this.life.enter('ready')
      this.host.ready()
    } else if (answer !== undefined) this.wire.write([answer])
  }

  onEnd(): void {
    this.close('the server closed the connection')
  }

  onDrain(): void {}

  onClosed(error: Error | undefined): void {
    this.close(error === undefined ? 'the connection was closed' : error.message)
  }

  /** Closes at once, by a reset. */
  close(why: string): void {
    if (!this.life.enter('closed')) return
    this.wire.reset()
    this.host.closed(why)
  }
}
