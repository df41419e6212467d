import type { Exchange } from '../commands/exchange.ts'
import { copiedReplies, LONGEST_COPY } from './copied-replies.ts'

/**
 * The replies of one client, in the order of its requests, whatever answered them:
 *
 *     first -> x -> x -> x -> last        slots, oldest first; a reply that came early waits in its slot
 *     out: [ bytes, bytes, … ]            what is ready, written once per turn
 *
 * Pushes (messages, MONITOR's lines) answer no request: they go out between two replies, as soon as they come. Only
 * behind a reply that is streaming they are parked until its end.
 */
export class ReplyQueue {
  first: Exchange | undefined = undefined
  last: Exchange | undefined = undefined
  /** Ready to be written, in order. */
  out: Buffer[] = NOTHING
  outBytes = 0
  /** Bytes of replies that wait in slots for earlier ones. */
  earlyBytes = 0

  /** Pushes that wait for the end of the reply that is streaming, and their bytes. */
  private parked: Buffer[] | undefined = undefined
  parkedBytes = 0

  /** Runs of copiedReplies in `out`, and in which of its memories. */
  private runs = 0
  private mark = 0

  get empty(): boolean {
    return this.first === undefined
  }

  /** Opens the slot of x, the newest request. */
  open(x: Exchange): void {
    if (this.last === undefined) this.first = x
    else this.last.later = x
    this.last = x
  }

  /** Takes the slot of x away if it is the oldest; the caller then adds its reply. */
  pop(x: Exchange): boolean {
    if (this.first !== x) return false
    this.first = x.later
    if (this.first === undefined) this.last = undefined
    x.later = undefined
    if (this.parked !== undefined) this.unpark()
    return true
  }

  /** A whole frame that answers no request. */
  push(frame: Buffer): void {
    if (this.first?.streaming !== true) {
      this.add(frame)
      return
    }
    this.parked ??= []
    this.parked.push(frame)
    this.parkedBytes += frame.length
  }

  private unpark(): void {
    for (const frame of this.parked ?? []) this.add(frame)
    this.parked = undefined
    this.parkedBytes = 0
  }

  add(bytes: Buffer): void {
    copiedReplies.close(this)
    this.append(bytes)
    this.outBytes += bytes.length
  }

  /** buf[start..end), whose memory is used for something else soon. */
  addCopy(buf: Buffer, start: number, end: number): void {
    if (end - start > LONGEST_COPY) {
      this.add(Buffer.from(buf.subarray(start, end)))
      return
    }
    copiedReplies.add(this, buf, start, end)
    this.outBytes += end - start
  }

  addRun(run: Buffer): void {
    if (this.mark !== copiedReplies.mark) {
      this.mark = copiedReplies.mark
      this.runs = 0
    }
    this.runs++
    this.append(run)
  }

  private append(bytes: Buffer): void {
    if (this.out === NOTHING) this.out = [bytes]
    else this.out.push(bytes)
  }

  /** The whole reply to x, at its place. */
  answer(x: Exchange, bytes: Buffer): void {
    if (this.pop(x)) {
      if (!x.mute) this.add(bytes)
      return
    }
    this.keep(x, x.mute ? NO_BYTES : bytes)
  }

  /** The reply to x, whose slot is open, before its turn. */
  keep(x: Exchange, bytes: Buffer): void {
    x.reply = bytes
    this.earlyBytes += bytes.length + SLOT_BYTES
  }

  /** Moves replies that came early and are next now to the output. */
  advance(): void {
    while (this.first !== undefined && this.first.reply !== undefined) {
      const x = this.first
      const bytes = x.reply as Buffer
      this.earlyBytes -= bytes.length + SLOT_BYTES
      x.reply = undefined
      this.pop(x)
      if (bytes.length > 0) this.add(bytes)
    }
  }

  /** What is ready to be written; forgets it. */
  take(): Buffer[] {
    copiedReplies.close(this)
    const out = this.out
    this.out = NOTHING
    this.outBytes = 0
    return out
  }

  /** The kernel has what was taken. */
  written(): void {
    if (this.runs === 0) return
    copiedReplies.taken(this.runs, this.mark)
    this.runs = 0
  }
}

/** What an exchange costs in memory, about: a client can have a million that are tiny. */
export const SLOT_BYTES = 320

/** Shared by all idle clients; never pushed to. */
const NOTHING: Buffer[] = []
const NO_BYTES = Buffer.alloc(0)
