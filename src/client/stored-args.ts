import type { ArgView } from '../commands/arg-view.ts'

/** A copy of a request's arguments, which may be kept. */
export class StoredArgs {
  private readonly bytes: Buffer
  private readonly offsets: Int32Array
  private readonly count: number

  constructor(buf: Buffer, start: number, end: number, count: number, args: Int32Array) {
    this.bytes = Buffer.from(buf.subarray(start, end))
    this.offsets = args.slice(0, 2 * count).map((at) => at - start)
    this.count = count
  }

  get size(): number {
    return this.bytes.length
  }

  into(view: ArgView): ArgView {
    return view.set(this.bytes, this.count, this.offsets)
  }
}
