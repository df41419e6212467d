/** Larger ones are left to the allocator, which gives them back to the system as soon as they are free. */
const LARGEST = 64 * 1024
const SMALLEST = 64

/**
 * Memory of entries that have gone, for those that come. The garbage collector would let some 64 MB of it gather before
 * it looks, and what it frees then lies between what is in use, so the allocator cannot give it back: a cache of 64 MiB
 * took twice that. What was given to a client goes that way still.
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
    if (length > LARGEST) return
    const cost = length + this.overhead
    while (this.bytes + cost > this.most) if (!this.forsake(length)) return
    this.bytes += cost
    const spares = this.spares.get(length)
    if (spares === undefined) this.spares.set(length, [buffer])
    else spares.push(buffer)
  }

  /** Leaves one of another length to the garbage collector: those that nobody asks for any more would be all there is. */
  private forsake(length: number): boolean {
    for (const [other, spares] of this.spares) {
      if (other === length) continue
      if (spares.pop() !== undefined) this.bytes -= other + this.overhead
      if (spares.length === 0) this.spares.delete(other)
      return true
    }
    return false
  }
}

/**
 * How long a buffer for so many bytes is: one of eight lengths between a power of two and the next, so that what one
 * entry leaves fits another one of about its size.
 */
export function roomFor(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST
  if (bytes > LARGEST) return bytes
  const step = 1 << (28 - Math.clz32(bytes - 1))
  return Math.ceil(bytes / step) * step
}
