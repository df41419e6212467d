/**
 * Builds replies that Keyward makes itself, in the client's protocol: what RESP2 has no type for takes the form that
 * Redis gives it there (https://redis.io/docs/latest/develop/reference/protocol-spec/).
 */
export class ReplyWriter {
  protocol: 2 | 3
  private buf = EMPTY
  private length = 0

  constructor(protocol: 2 | 3 = 2) {
    this.protocol = protocol
  }

  /** What has been written since the last take(). The caller owns it: it may go to a socket as it is. */
  take(): Buffer {
    const taken = this.buf.subarray(0, this.length)
    this.buf = EMPTY
    this.length = 0
    return taken
  }

  /** `text`: one character per byte, without CR and LF. */
  simple(text: string): void {
    this.line(`+${text}`)
  }

  /** `text`: code and message without the leading `-`, one character per byte. Line breaks become blanks. */
  error(text: string): void {
    this.line(`-${text.replace(/[\r\n]/g, ' ')}`)
  }

  integer(n: number | bigint): void {
    this.line(`:${n}`)
  }

  /** Strings are written as UTF-8. */
  bulk(value: Buffer | string): void {
    this.blob('$', value, '')
  }

  null(): void {
    this.line(this.protocol === 3 ? '_' : '$-1')
  }

  /** The null of commands that otherwise reply with an array. */
  nullArray(): void {
    this.line(this.protocol === 3 ? '_' : '*-1')
  }

  /** `n` elements follow. */
  array(n: number): void {
    this.line(`*${n}`)
  }

  /** `pairs` times a key and a value follow. */
  map(pairs: number): void {
    this.line(this.protocol === 3 ? `%${pairs}` : `*${2 * pairs}`)
  }

  /** `n` elements follow. */
  set(n: number): void {
    this.line(this.protocol === 3 ? `~${n}` : `*${n}`)
  }

  /** `n` elements follow, the first of which names the kind of message. */
  push(n: number): void {
    this.line(this.protocol === 3 ? `>${n}` : `*${n}`)
  }

  /** The shortest digits that give the same number again, as Redis 7.2 and later. */
  double(n: number): void {
    let text = Object.is(n, -0) ? '-0' : String(n)
    if (Number.isNaN(n)) text = 'nan'
    else if (!Number.isFinite(n)) text = n > 0 ? 'inf' : '-inf'
    if (this.protocol === 3) this.line(`,${text}`)
    else this.bulk(text)
  }

  boolean(b: boolean): void {
    if (this.protocol === 3) this.line(b ? '#t' : '#f')
    else this.line(b ? ':1' : ':0')
  }

  /** `format`: three letters, `txt` or `mkd`. */
  verbatim(format: string, text: Buffer | string): void {
    if (this.protocol === 3) this.blob('=', text, `${format}:`)
    else this.bulk(text)
  }

  /** Bytes of a reply, or of a part of one, as they are. */
  raw(bytes: Buffer): void {
    this.reserve(bytes.length)
    this.length += bytes.copy(this.buf, this.length)
  }

  private line(text: string): void {
    this.reserve(text.length + 2)
    this.length += this.buf.write(text, this.length, 'latin1')
    this.end()
  }

  private blob(type: string, value: Buffer | string, before: string): void {
    const size = typeof value === 'string' ? Buffer.byteLength(value) : value.length
    this.line(`${type}${size + before.length}`)
    this.reserve(before.length + size + 2)
    this.length += this.buf.write(before, this.length, 'latin1')
    this.length += typeof value === 'string' ? this.buf.write(value, this.length) : value.copy(this.buf, this.length)
    this.end()
  }

  private end(): void {
    this.buf[this.length++] = 0x0d
    this.buf[this.length++] = 0x0a
  }

  private reserve(size: number): void {
    const needed = this.length + size
    if (needed <= this.buf.length) return
    const grown = Buffer.allocUnsafe(Math.max(64, needed, 2 * this.buf.length))
    this.buf.copy(grown, 0, 0, this.length)
    this.buf = grown
  }
}

const EMPTY = Buffer.alloc(0)
