const SLAB_BYTES = 64 * 1024

/**
 * Memory that rewritten requests are written into one behind the other, so that a flush finds them contiguous and
 * hands them to the socket as one span. A full slab is left to the garbage collector, never reused: a span given to
 * write() belongs to the socket until its callback, and an exchange may want to be sent again.
 */
export class Slab {
  bytes: Buffer = EMPTY
  used = 0

  /** Makes room for n bytes at bytes[used]. More than a quarter of a slab gets a buffer of its own size. */
  reserve(n: number): void {
    if (n <= this.bytes.length - this.used) return
    this.bytes = Buffer.allocUnsafeSlow(n > SLAB_BYTES / 4 ? n : SLAB_BYTES)
    this.used = 0
  }
}

const EMPTY = Buffer.alloc(0)

/**
 * Copies source[from..to) to target[at]. Short spans go byte by byte: the call into the runtime costs as much as
 * some 64 bytes of this loop.
 */
export function copyBytes(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (to - from > 64) {
    source.copy(target, at, from, to)
    return at + (to - from)
  }
  let out = at
  for (let i = from; i < to; i++) target[out++] = source[i]
  return out
}
