import { BadReply } from './reply-scanner.ts'

const CR = 0x0d
const DOLLAR = 0x24
const ZERO = 0x30

/**
 * One frame of a subscribed RESP2 connection, by offsets into the bytes that it came in: a message, or the
 * acknowledgement of a (un)subscription. One object is read into again and again; nothing of it outlives the bytes.
 * https://redis.io/docs/latest/develop/pubsub/
 */
export class MessageFrame {
  buf: Buffer = EMPTY
  /** Bulk strings of the frame: element i is buf[starts[i] .. ends[i]). */
  readonly starts = [0, 0, 0, 0]
  readonly ends = [0, 0, 0, 0]
  /** How many there are; an integer behind them does not count. */
  count = 0
  /** Of the frame. */
  end = 0

  /** Reads buf[start..end), an array that a ReplyScanner has found to be whole. Throws BadReply when it is no such frame. */
  read(buf: Buffer, start: number, end: number): void {
    this.buf = buf
    this.end = end
    this.count = 0
    let pos = start + 1
    const elements = this.number(pos)
    if (elements < 2 || elements > 4) throw new BadReply('not a message')
    pos = this.after
    for (let i = 0; i < elements && buf[pos] === DOLLAR; i++) {
      const length = this.number(pos + 1)
      this.starts[i] = this.after
      this.ends[i] = this.after + length
      this.count++
      pos = this.ends[i] + 2
    }
  }

  /** Is element i this word, in ASCII? */
  is(i: number, word: Buffer): boolean {
    if (i >= this.count) return false
    const from = this.starts[i]
    return this.ends[i] - from === word.length && this.buf.compare(word, 0, word.length, from, this.ends[i]) === 0
  }

  /** Element i, one character per byte. */
  text(i: number): string {
    return i < this.count ? this.buf.toString('latin1', this.starts[i], this.ends[i]) : ''
  }

  /** Where the last element, with its length in front, begins: all from here on may be copied as it is. */
  get lastElement(): number {
    const i = this.count - 1
    let digits = 1
    for (let n = this.ends[i] - this.starts[i]; n > 9; n = Math.floor(n / 10)) digits++
    return this.starts[i] - digits - 3
  }

  /** Where the line that number() read has ended. */
  private after = 0

  private number(from: number): number {
    const { buf, end } = this
    let n = 0
    let pos = from
    for (; pos < end && buf[pos] !== CR; pos++) {
      const digit = buf[pos] - ZERO
      // A null is no element of these frames.
      if (digit < 0 || digit > 9) throw new BadReply('not a message')
      n = n * 10 + digit
    }
    this.after = pos + 2
    return n
  }
}

const EMPTY = Buffer.alloc(0)
