/**
 * A request's arguments as quirks see them: offsets into the reader's buffer, made into bytes or text only when
 * asked. One object is reused for all requests; it is valid during the call that gave it.
 */
export class ArgView {
  private buf: Buffer = EMPTY
  private offsets: Int32Array = new Int32Array(0)
  /** Number of arguments, the command's name included. */
  length = 0

  set(buf: Buffer, count: number, offsets: Int32Array): this {
    this.buf = buf
    this.length = count
    this.offsets = offsets
    return this
  }

  /** Of argument i, in bytes. */
  size(i: number): number {
    return this.offsets[2 * i + 1] - this.offsets[2 * i]
  }

  /** A view of arguments that are somebody's own. */
  static of(args: readonly Buffer[]): ArgView {
    const offsets = new Int32Array(2 * args.length)
    let at = 0
    args.forEach((arg, i) => {
      offsets[2 * i] = at
      at += arg.length
      offsets[2 * i + 1] = at
    })
    return new ArgView().set(Buffer.concat(args), args.length, offsets)
  }

  /** A copy of argument i, which may be kept. */
  bytes(i: number): Buffer {
    return Buffer.from(this.buf.subarray(this.offsets[2 * i], this.offsets[2 * i + 1]))
  }

  /** Copies of all arguments. */
  all(): Buffer[] {
    return Array.from({ length: this.length }, (_, i) => this.bytes(i))
  }

  /**
   * Argument i, one character per byte, at most the first `most` bytes of it. An argument may be longer than a string
   * can be: whoever expects something short says so.
   */
  text(i: number, most = 0x7fffffff): string {
    const from = this.offsets[2 * i]
    return this.buf.toString('latin1', from, Math.min(this.offsets[2 * i + 1], from + most))
  }

  /** Is argument i this keyword (given in upper case ASCII letters and digits), in any case? */
  is(i: number, keyword: string): boolean {
    const from = this.offsets[2 * i]
    if (this.offsets[2 * i + 1] - from !== keyword.length) return false
    for (let k = 0; k < keyword.length; k++) {
      const byte = this.buf[from + k]
      const upper = byte >= 97 && byte <= 122 ? byte - 32 : byte
      if (upper !== keyword.charCodeAt(k)) return false
    }
    return true
  }

  /** Does argument i hold this byte? */
  includes(i: number, byte: number): boolean {
    return this.buf.subarray(this.offsets[2 * i], this.offsets[2 * i + 1]).includes(byte)
  }

  /**
   * Argument i as Redis' string2ll reads it (no blanks, plus sign or leading zeros), or undefined.
   * Numbers beyond 2^53 count as undefined.
   */
  integer(i: number): number | undefined {
    const text = this.text(i, 21)
    if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined
    const value = Number(text)
    return Number.isSafeInteger(value) ? value : undefined
  }
}

const EMPTY = Buffer.alloc(0)
