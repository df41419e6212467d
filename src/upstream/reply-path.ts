import type { Exchange, ExchangeClient, Via } from '../commands/exchange.ts'
import { isNoScript } from '../commands/no-script.ts'
import { type CommandSpec, FLAG } from '../commands/spec.ts'
import { BadReply, ReplyScanner } from '../resp/reply-scanner.ts'
import { ATTRIBUTE, ERROR, PUSH } from '../resp/type-bytes.ts'
import type { ExchangeQueue } from './exchange-queue.ts'
import { fail } from './failure.ts'

/** A reply that is still incomplete after so many bytes is passed on as it comes, instead of being kept. */
const STREAM_FROM = 64 * 1024
/** A reply that has to be kept whole, because it must be read, may have so many bytes. */
const MOST_KEPT = 1024 * 1024 * 1024

/** What the path of replies asks of its connection. */
export interface ReplyPathHost extends Via {
  readonly ready: boolean
  readonly shared: boolean
  /** Replies over this are remembered, so that the next one for the key takes the bulk lane. */
  readonly bulk: number
  bigReply(x: Exchange): void
  /** x was answered by this error. True: it was not executed, and somebody keeps it to send it again. */
  takenBack(x: Exchange, error: string): boolean
  /** A member of a transaction was answered by this error. True: because nothing can be executed here now. */
  ends(error: string): boolean
  /**
   * x, which only reads, was executed although an earlier request of its client on this connection was put back. True: it is
   * put back, too, and will be sent again behind that.
   */
  tooEarly(x: Exchange): boolean
  /** The same of one that may have written. */
  overtaken(client: ExchangeClient): void
}

/** Replies to the logins around x, and its own. */
interface Escort {
  /** To the first login, when the server refused it. */
  refused: string | undefined
  /** Of x. */
  reply: { readonly type: number; readonly frame: Buffer } | undefined
}

/**
 * From the bytes of a connection to the clients that wait for them: finds where each reply ends, and hands
 * neighbouring replies for one client on as one span. Only a reply that must be read is ever put together.
 */
export class ReplyPath {
  readonly scanner = new ReplyScanner()
  private readonly queue: ExchangeQueue
  private readonly host: ReplyPathHost
  /** The beginning of a reply whose end has not come yet, as far as it is kept, and its size so far. */
  private parts: Buffer[] = []
  private partBytes = 0
  /** The reply to x, whose `behind` are not all answered yet. */
  private counts: { readonly type: number; readonly frame: Buffer; left: number } | undefined = undefined
  /** Of the exchange that runs as a user of its own, once the reply to its first login has come. */
  private escort: Escort | undefined = undefined
  /** A reply was not one to its request. */
  private lying = false
  /** The run: whole replies of one client, buf[runStart..runEnd), taken from its queue but not yet handed on. */
  private runClient: ExchangeClient | undefined = undefined
  private runStart = 0
  private runEnd = 0

  constructor(queue: ExchangeQueue, host: ReplyPathHost) {
    this.queue = queue
    this.host = host
  }

  /** buf may be reused after the call unless `stable`. Throws BadReply. */
  take(buf: Buffer, start: number, end: number, stable: boolean): void {
    let pos = start
    try {
      while (pos < end && this.host.ready) {
        const next = this.scanner.scan(buf, pos, end)
        if (next < 0) break
        this.reply(buf, pos, next, stable)
        pos = next
      }
    } finally {
      // Also when what follows is not RESP: these replies are good, and their clients have no slots for them any more.
      this.endRun(buf, stable)
    }
    if (pos < end && this.host.ready) this.keep(buf, pos, end, stable)
  }

  /** x's reply has begun. */
  begun(x: Exchange): boolean {
    return (
      x === this.queue.head && (this.partBytes > 0 || this.counts !== undefined || this.escort?.reply !== undefined)
    )
  }

  private reply(buf: Buffer, from: number, to: number, stable: boolean): void {
    const { queue, scanner } = this
    const { type } = scanner
    if (type === PUSH) {
      // Nobody's: it must not lie inside a run.
      this.endRun(buf, stable)
      this.forgetParts()
      return
    }
    const x = queue.next
    if (x === undefined) throw new BadReply('a reply that nobody asked for')
    if (x.swallow > 0) {
      this.endRun(buf, stable)
      this.swallow(x, buf, from, to)
      return
    }
    if (x.as !== undefined && this.host.shared) {
      this.endRun(buf, stable)
      this.escorted(x, type, buf, from, to)
      return
    }
    if (x.behind > 0) {
      this.endRun(buf, stable)
      this.followed(x, type, buf, from, to)
      return
    }
    queue.shift(x)
    const client = x.client
    const whole = this.partBytes === 0 && to - from <= this.host.bulk
    if (whole && x.plain && type !== ERROR && x.place === 'sent' && client.pop(x, to - from)) {
      x.moveTo('answered')
      client.pending--
      if (client !== this.runClient) {
        this.endRun(buf, stable)
        this.runClient = client
        this.runStart = from
      }
      this.runEnd = to
      return
    }
    this.endRun(buf, stable)
    this.finish(x, type, buf, from, to, stable)
  }

  private endRun(buf: Buffer, stable: boolean): void {
    const client = this.runClient
    if (client === undefined) return
    this.runClient = undefined
    client.emit(buf, this.runStart, this.runEnd, stable)
    client.settled()
  }

  /** Anything but a plain whole reply for the client's oldest request. */
  private finish(x: Exchange, type: number, buf: Buffer, from: number, to: number, stable: boolean): void {
    const { host } = this
    const client = x.client
    if (x.place === 'sent') {
      if (this.partBytes + to - from > host.bulk && host.shared) host.bigReply(x)
      if (x.streaming) {
        client.emit(buf, from, to, stable)
        client.pop(x, this.partBytes + to - from)
      } else if (this.partBytes === 0) {
        if (!this.answer(x, type, buf, from, to, stable)) return
      } else {
        this.parts.push(buf.subarray(from, to))
        const frame = Buffer.concat(this.parts)
        this.forgetParts()
        if (frame.length > STREAM_FROM) client.kept(0)
        if (!this.answer(x, type, frame, 0, frame.length, true)) return
      }
    }
    this.forgetParts()
    x.moveTo('answered')
    client.pending--
    client.settled()
    if (this.lying) throw new BadReply('a reply that cannot be one to its request')
  }

  /** False: x was not executed and is kept elsewhere. */
  private answer(x: Exchange, type: number, buf: Buffer, from: number, to: number, stable: boolean): boolean {
    const { host } = this
    if (type === ERROR && !saysWhatItLikes(x.spec)) {
      const error = buf.toString('latin1', from, to)
      if (!x.inTransaction) {
        if (host.takenBack(x, error)) return false
      } else if (host.ends(error)) {
        x.client.fail(x, 'EXECABORT')
        return true
      }
    }
    if (x.client.via !== host && host.shared) {
      if ((x.spec.flags & FLAG.READONLY) !== 0 && host.tooEarly(x)) return false
      host.overtaken(x.client)
    }
    if (!x.client.deliver(x, type, buf, from, to, stable)) this.lying = true
    return true
  }

  /** A reply to x, or to one of the requests behind it: x is answered when theirs are in, too. */
  private followed(x: Exchange, type: number, buf: Buffer, from: number, to: number): void {
    const { counts } = this
    if (counts === undefined) {
      this.parts.push(buf.subarray(from, to))
      const frame = Buffer.concat(this.parts)
      if (frame.length > STREAM_FROM) x.client.kept(0)
      this.forgetParts()
      this.parts = []
      if (type !== ERROR || !frame.subarray(0, DEMOTED.length).equals(DEMOTED_BYTES)) {
        this.counts = { type, frame, left: x.behind }
        return
      }
      // The server closes the connection behind this one: nothing of what follows will be answered.
      this.queue.shift(x)
      this.finish(x, type, frame, 0, frame.length, true)
      return
    }
    this.forgetParts()
    if (type === ERROR && x.place === 'sent') x.client.followerFailed(x)
    counts.left--
    if (counts.left > 0) return
    this.counts = undefined
    this.queue.shift(x)
    this.finish(x, counts.type, counts.frame, 0, counts.frame.length, true)
  }

  /**
   * A reply to the first login, to x, or to the login behind it that makes the connection the service user's again. If that one
   * fails, or if what was not let in ran nevertheless, nothing on this connection runs as who it should.
   */
  private escorted(x: Exchange, type: number, buf: Buffer, from: number, to: number): void {
    this.parts.push(buf.subarray(from, to))
    const frame = Buffer.concat(this.parts)
    if (frame.length > STREAM_FROM) x.client.kept(0)
    this.forgetParts()
    this.parts = []
    const { escort } = this
    if (escort === undefined) {
      this.escort = { refused: type === ERROR ? frame.toString('latin1') : undefined, reply: undefined }
      return
    }
    if (escort.reply === undefined) {
      if (escort.refused !== undefined && type !== ERROR) throw new BadReply('a script ran as the service user')
      escort.reply = { type, frame }
      return
    }
    this.escort = undefined
    if (type === ERROR) throw new BadReply(`no way back to the service user: ${frame.toString('latin1', 1).trimEnd()}`)
    const { reply, refused } = escort
    this.queue.shift(x)
    const error = refused ?? (reply.type === ERROR ? reply.frame.toString('latin1') : '')
    if (x.place === 'sent' && (refused !== undefined || isNoScript(error))) {
      x.client.pending--
      if (x.client.notLetIn(x, error)) return
      x.client.pending++
      if (refused !== undefined) {
        fail(x, 'UPSTREAMDOWN')
        return
      }
    }
    this.finish(x, reply.type, reply.frame, 0, reply.frame.length, true)
  }

  private swallow(x: Exchange, buf: Buffer, from: number, to: number): void {
    x.swallow--
    if (x.spec.quirk.fromNewest === true) x.client.overheard(x, Buffer.concat([...this.parts, buf.subarray(from, to)]))
    this.parts = []
    this.partBytes = 0
  }

  /** buf[pos..end) is the beginning, or the next piece, of the next reply. */
  private keep(buf: Buffer, pos: number, end: number, stable: boolean): void {
    const x = this.queue.next
    this.partBytes += end - pos
    if (x === undefined) {
      // A push, or rubbish.
      if (this.partBytes > STREAM_FROM) throw new BadReply('a reply that nobody asked for')
      return
    }
    if (x.streaming) {
      x.client.emit(buf, pos, end, stable)
      return
    }
    if (this.counts !== undefined || x.place === 'abandoned' || (x.swallow > 0 && x.spec.quirk.fromNewest !== true))
      return
    // A silent client's reply is dropped as it comes, but for what a transaction has to know, and errors: it may not have been executed.
    const first = this.partBytes === end - pos ? buf[pos] : this.parts[0]?.[0]
    if (x.mute && !x.inTransaction && first !== ERROR) return
    this.parts.push(stable ? buf.subarray(pos, end) : Buffer.from(buf.subarray(pos, end)))
    if (this.partBytes > STREAM_FROM) x.client.kept(this.partBytes)
    if (this.partBytes > MOST_KEPT) throw new BadReply('a reply too big to be kept')
    const streams =
      this.partBytes >= STREAM_FROM &&
      x.plain &&
      x.swallow === 0 &&
      x.behind === 0 &&
      (x.as === undefined || !this.host.shared) &&
      mayStream(this.parts[0][0])
    if (!streams || !x.client.leads(x)) return
    x.streaming = true
    for (const part of this.parts) x.client.emit(part, 0, part.length, true)
    this.parts = []
  }

  private forgetParts(): void {
    if (this.partBytes === 0) return
    this.parts = []
    this.partBytes = 0
  }
}

/** Its errors are the words of a tenant's Lua: they say nothing of the server, nor that it was not executed. */
function saysWhatItLikes({ route, open }: CommandSpec): boolean {
  return route === 'script' || open === 'function'
}

/**
 * The server became a replica while a command waited, and nothing was taken (blocked.c). Another text behind the same
 * code is CLIENT UNBLOCK's, which is for the client.
 */
export const DEMOTED = '-UNBLOCKED force unblock'
const DEMOTED_BYTES = Buffer.from(DEMOTED)

/** Errors are looked at whole; a push, and what follows attributes, need not be this request's reply. */
function mayStream(firstByte: number): boolean {
  return firstByte !== ERROR && firstByte !== PUSH && firstByte !== ATTRIBUTE
}
