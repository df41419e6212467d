/** What a reply costs beside its bytes: measured, and rounded up: a Buffer, its memory, and its place here. */
export const OUTSIDE_OVERHEAD = 400

/**
 * Replies that are too large to be copied for each who asks, by number. They are given out as they are, may be written
 * to a socket when their entry has gone, and so are left to the garbage collector.
 */
export class OutsideReplies {
  /** Bytes that they take, with what it costs to keep them. */
  bytes = 0
  private readonly replies: Buffer[] = []
  private readonly vacant: number[] = []

  /** A copy of buf[start..end). */
  add(buf: Buffer, start: number, end: number): number {
    // Slow: from the pool, it would keep the memory of others.
    const reply = Buffer.allocUnsafeSlow(end - start)
    buf.copy(reply, 0, start, end)
    const number = this.vacant.pop() ?? this.replies.length
    this.replies[number] = reply
    this.bytes += costOf(reply)
    return number
  }

  at(number: number): Buffer {
    return this.replies[number]
  }

  /** Bytes that it takes, with what it costs to keep it. */
  costOf(number: number): number {
    return costOf(this.replies[number])
  }

  drop(number: number): void {
    this.bytes -= this.costOf(number)
    this.replies[number] = NO_REPLY
    this.vacant.push(number)
  }
}

function costOf(reply: Buffer): number {
  return reply.length + OUTSIDE_OVERHEAD
}

const NO_REPLY = Buffer.alloc(0)
