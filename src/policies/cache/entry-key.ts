import type { HashState, KeyHash } from './key-hash.ts'

/** Bytes of a request that the cache deals with: it keeps what makes one different from others. */
export const MOST_ASKED = 16 * 1024

/** In front of each argument behind the key: its length. */
const LENGTH_BYTES = 4

/** What a reply is the answer to, in a form that can be kept. Never changed. */
export interface EntryKey {
  /** Where to look for it. */
  readonly hash: number
  /** 32 more bits of hash: two keys that differ in them need no further comparison. */
  readonly check: number
  readonly command: number
  /** The command and the protocol. */
  readonly what: number
  readonly db: number
  /** The key is bytes[0..keyEnd); what follows are the other arguments, each behind its length, up to argsEnd. */
  readonly bytes: Buffer
  readonly keyEnd: number
  readonly argsEnd: number
}

/**
 * What the present request asks for, in the buffer that it was received in: compared with what is kept without
 * allocating anything. One object is used over and over; it is valid during the call in which it was set.
 *
 * An entry belongs to one tenant, so of the raw key's prefix only the database can differ.
 */
export class EntryProbe {
  hash = 0
  check = 0
  /** Of the raw key alone, for Generations. */
  keyHash = 0
  /** See EntryKey. */
  what = 0
  db = 0
  private command = 0
  private buf: Buffer = EMPTY
  private args: Int32Array = NO_ARGS
  private first = 0
  private count = 0
  private readonly hasher: KeyHash

  constructor(hasher: KeyHash) {
    this.hasher = hasher
  }

  /**
   * The reply to `command`, a small number of the caller's choice, where argument `first` is its only key and those
   * behind it, `count` with the key, are all that it depends on. Argument i is buf[args[2*i]..args[2*i+1]). `prefix`:
   * the state of what is in front of the raw key, in database `db`.
   */
  set(
    command: number,
    protocol: 2 | 3,
    db: number,
    prefix: HashState,
    buf: Buffer,
    args: Int32Array,
    first: number,
    count: number,
  ): this {
    const what = (command << 1) | (protocol & 1)
    this.command = command
    this.what = what
    this.db = db
    this.buf = buf
    this.args = args
    this.first = first
    this.count = count
    const { hasher } = this
    this.keyHash = hasher.of(prefix, buf, args[2 * first], args[2 * first + 1])
    hasher.more(what)
    for (let i = first + 1; i < first + count; i++) hasher.moreBytes(buf, args[2 * i], args[2 * i + 1])
    this.hash = hasher.a
    this.check = hasher.b
    return this
  }

  /** Is it this one that is asked for? It was found by its `hash`. */
  matches(key: EntryKey): boolean {
    if (key.check !== this.check || key.what !== this.what || key.db !== this.db) return false
    return this.hasBytes(key.bytes, 0, key.keyEnd, key.argsEnd)
  }

  /**
   * Are its key and arguments those that are kept from bytes[start] on: `keyLength` bytes of key, `argsLength` bytes in
   * all?
   */
  hasBytes(bytes: Buffer, start: number, keyLength: number, argsLength: number): boolean {
    const { buf, args, first } = this
    const from = args[2 * first]
    if (keyLength !== args[2 * first + 1] - from || !same(bytes, start, start + keyLength, buf, from)) return false
    if (this.count === 1) return argsLength === keyLength
    // Of one length in all, no comparison leaves them, however many arguments there are.
    return argsLength === this.size && this.hasRest(bytes, start + keyLength)
  }

  /** A copy that may be kept. */
  key(): EntryKey {
    const bytes = Buffer.allocUnsafeSlow(this.size)
    this.write(bytes)
    const { hash, check, command, what, db } = this
    const keyEnd = this.args[2 * this.first + 1] - this.args[2 * this.first]
    return { hash, check, command, what, db, bytes, keyEnd, argsEnd: bytes.length }
  }

  /** Bytes of the key and the arguments, as they are kept. */
  private get size(): number {
    const { args, first } = this
    let size = args[2 * first + 1] - args[2 * first]
    for (let i = first + 1; i < first + this.count; i++) size += LENGTH_BYTES + args[2 * i + 1] - args[2 * i]
    return size
  }

  private write(bytes: Buffer): void {
    const { buf, args, first } = this
    let at = buf.copy(bytes, 0, args[2 * first], args[2 * first + 1])
    for (let i = first + 1; i < first + this.count; i++) {
      at = bytes.writeInt32LE(args[2 * i + 1] - args[2 * i], at)
      at += buf.copy(bytes, at, args[2 * i], args[2 * i + 1])
    }
  }

  private hasRest(bytes: Buffer, start: number): boolean {
    const { buf, args, first } = this
    let at = start
    for (let i = first + 1; i < first + this.count; i++) {
      const from = args[2 * i]
      const length = args[2 * i + 1] - from
      if (bytes.readInt32LE(at) !== length) return false
      at += LENGTH_BYTES
      if (!same(bytes, at, at + length, buf, from)) return false
      at += length
    }
    return true
  }
}

function same(one: Buffer, start: number, end: number, other: Buffer, from: number): boolean {
  for (let i = start, j = from; i < end; i++, j++) if (one[i] !== other[j]) return false
  return true
}

const EMPTY = Buffer.alloc(0)
const NO_ARGS = new Int32Array(0)
