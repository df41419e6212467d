/** An entry begins at a multiple of it: its end is a number of eight bytes. */
export const UNIT = 8
/** What a segment costs beside its bytes: three views of one ArrayBuffer, and what the allocator keeps for that. */
const OVERHEAD = 1024
const LARGEST = 2 ** 20
/** Addresses are small integers. */
const MOST_UNITS = 2 ** 31 - 2

/** A piece of memory that entries follow one another in. */
export class Segment {
  readonly bytes: Buffer
  readonly words: Int32Array
  /** The same bytes, for the numbers among them that are larger than a word. */
  readonly doubles: Float64Array
  /** Address of its first unit. */
  readonly address: number
  /** Units from its start that entries take, also those that are of no use any more. */
  end = 0
  /** Units of those that are of use. */
  live = 0
  /** Bytes of their replies that are kept elsewhere, with what they cost there. */
  outside = 0

  constructor(size: number, address: number) {
    // Slow: of its own, so that it begins at a multiple of eight, and can be given back.
    this.bytes = Buffer.allocUnsafeSlow(size)
    const { buffer } = this.bytes
    this.words = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
    this.address = address
  }
}

/** The segments of one cache, all of one size, allocated when they are needed. */
export class Segments {
  /** Bytes of one. */
  readonly size: number
  /** Units of one. */
  readonly units: number
  /** Bytes that one costs, all in all. */
  readonly cost: number
  /** The one that was filled, or gone through, longest ago comes first. New entries go to the last. */
  readonly order: Segment[] = []
  private readonly shift: number
  /** By address. */
  private readonly table: Segment[] = []
  /** Places in the table of those that were given back. */
  private readonly vacant: number[] = []

  /** For a cache of `memory` bytes: about 64 of them, of at most 1 MiB; at least 16. */
  constructor(memory: number) {
    const few = 2 ** Math.floor(Math.log2(memory / 16))
    const many = 2 ** Math.floor(Math.log2(memory / 64))
    this.size = Math.min(LARGEST, few, Math.max(many, 64 * 1024))
    this.units = this.size / UNIT
    this.shift = 31 - Math.clz32(this.units)
    this.cost = this.size + OVERHEAD
  }

  /** Bytes that they take. */
  get bytes(): number {
    return this.order.length * this.cost
  }

  /** Units of entries that are of use. */
  get live(): number {
    let live = 0
    for (const segment of this.order) live += segment.live
    return live
  }

  /** There are more addresses. */
  get extends(): boolean {
    return this.vacant.length > 0 || (this.table.length + 1) * this.units <= MOST_UNITS
  }

  /** The segment that an address is in. */
  of(address: number): Segment {
    return this.table[address >>> this.shift]
  }

  /** Units between the segment's start and the address. */
  offsetOf(address: number): number {
    return address & (this.units - 1)
  }

  /** An empty one, for new entries. */
  add(): Segment {
    const place = this.vacant.pop() ?? this.table.length
    const segment = new Segment(this.size, place << this.shift)
    this.table[place] = segment
    this.order.push(segment)
    return segment
  }

  /** New entries go there from now on. */
  renew(segment: Segment): void {
    this.order.splice(this.order.indexOf(segment), 1)
    this.order.push(segment)
  }

  /** Nothing in it is of use any more. */
  remove(segment: Segment): void {
    this.order.splice(this.order.indexOf(segment), 1)
    const place = segment.address >>> this.shift
    this.table[place] = NO_SEGMENT
    this.vacant.push(place)
  }
}

/** In the table, where one was: it keeps no memory. */
const NO_SEGMENT = new Segment(0, 0)
