import { copyBytes } from '../lib/slab.ts'

/** A key that gets a time to live behind a request if it has none. */
export interface Expiry {
  /** Without the tenant's prefix. */
  readonly key: Buffer
  /** Milliseconds. */
  readonly time: number
  /** In front of its raw key; absent: what is in front of the keys of the request. For COPY and MOVE to another database. */
  readonly prefix: Buffer | undefined
}

/** Bytes that a key costs here beside its own. */
const EACH = 16

/**
 * All of one request. A request may name a hundred thousand keys, so there is no object for each: their bytes stand one behind the
 * other.
 */
export class Expiries implements Iterable<Expiry> {
  private keys: Buffer
  /** Where each key ends in there. */
  private readonly ends: number[] = []
  private readonly times: number[] = []
  /** By number of the expiry; absent: none has one of its own. */
  private prefixes: Map<number, Buffer> | undefined = undefined

  /** `bytes`: of all keys together, if that is known. */
  constructor(bytes: number) {
    this.keys = Buffer.allocUnsafe(bytes)
  }

  get count(): number {
    return this.ends.length
  }

  /** Bytes that it takes, about. */
  get size(): number {
    return this.keys.length + EACH * this.count
  }

  /** The key is buf[start..end), which is copied; time and prefix as in Expiry. */
  add(buf: Buffer, start: number, end: number, time: number, prefix?: Buffer): void {
    const at = this.startOf(this.count)
    const next = at + end - start
    if (next > this.keys.length) this.keys = Buffer.concat([this.keys, Buffer.allocUnsafe(next - this.keys.length)])
    copyBytes(buf, start, end, this.keys, at)
    if (prefix !== undefined) {
      this.prefixes ??= new Map()
      this.prefixes.set(this.count, prefix)
    }
    this.ends.push(next)
    this.times.push(time)
  }

  /** Milliseconds, of number i. */
  time(i: number): number {
    return this.times[i]
  }

  prefix(i: number): Buffer | undefined {
    return this.prefixes?.get(i)
  }

  /** Bytes of its key. */
  keySize(i: number): number {
    return this.ends[i] - this.startOf(i)
  }

  /** Writes its key to target[at]; returns where it ends there. */
  copyKey(i: number, target: Buffer, at: number): number {
    return copyBytes(this.keys, this.startOf(i), this.ends[i], target, at)
  }

  private startOf(i: number): number {
    return i === 0 ? 0 : this.ends[i - 1]
  }

  /** For people and tests: an object for each. */
  *[Symbol.iterator](): Iterator<Expiry> {
    for (let i = 0; i < this.count; i++) {
      const key = Buffer.from(this.keys.subarray(this.startOf(i), this.ends[i]))
      yield { key, time: this.times[i], prefix: this.prefix(i) }
    }
  }
}
