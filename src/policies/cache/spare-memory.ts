/** Larger ones are left to the allocator, which gives them back to the system as soon as they are free. */
const LARGEST = 64 * 1024
const SMALLEST = 64

/**
 * Memory of entries that have gone, for those that come. Left to the garbage collector, it would lie about until some 64 MB of it have
 * gathered, in pieces between which the allocator has nothing that it could give back: a cache of 64 MiB would take 140.
 */
export class SpareMemory {
  /** Bytes that lie here, with what they cost to keep. */
  bytes = 0
  private readonly most: number
  private readonly overhead: number
  /** By length of the buffers. */
  private readonly spares = new Map<number, Buffer[]>()

  /** At most so many bytes, where each buffer costs `overhead` beside its length. */
  constructor(most: number, overhead: number) {
    this.most = most
    this.overhead = overhead
  }

  /** Of a length that `roomFor` has given. What is in it is what its last user left there. */
  take(length: number): Buffer {
    const spare = this.spares.get(length)?.pop()
    if (spare === undefined) return Buffer.allocUnsafeSlow(length)
    this.bytes -= length + this.overhead
    return spare
  }

  /** Nobody has a view of it any more. */
  give(buffer: Buffer): void {
    const { length } = buffer
    const cost = length + this.overhead
    if (length > LARGEST || this.bytes + cost > this.most) return
    this.bytes += cost
    const spares = this.spares.get(length)
    if (spares === undefined) this.spares.set(length, [buffer])
    else spares.push(buffer)
  }
}

/**
 * How long a buffer for so many bytes is: one of eight lengths between a power of two and the next, so that what one entry leaves fits
 * another one of about its size.
 */
export function roomFor(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST
  if (bytes > LARGEST) return bytes
  const step = 1 << (28 - Math.clz32(bytes - 1))
  return Math.ceil(bytes / step) * step
}
