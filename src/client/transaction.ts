import type { ArgView } from '../commands/arg-view.ts'
import type { CommandSpec } from '../commands/spec.ts'

/** Note of an EXEC that must abort: DISCARD goes upstream, this error to the client. */
export class Abort {
  readonly error: Buffer

  constructor(error: Buffer) {
    this.error = error
  }
}

/** What happens to one element of EXEC's array. */
export type Member =
  | { readonly kind: 'strip'; readonly spec: CommandSpec; readonly prefix: Buffer }
  | { readonly kind: 'local'; readonly spec: CommandSpec; readonly args: StoredArgs }
  | { readonly kind: 'said'; readonly bytes: Buffer }

/** A copy of a request's arguments, as long as the transaction lives. */
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

/**
 * MULTI and WATCH of one client, as far as Keyward must know: Redis itself queues and executes. Members that
 * Keyward answers are queued upstream as PING and replaced in EXEC's array; keys that come back are stripped there.
 */
export class Transaction {
  /** Between MULTI and EXEC or DISCARD, as requests are read. */
  multi = false
  /** WATCH was sent and nothing has ended it. */
  watching = false
  /** A member was refused here: EXEC must abort, which the upstream does not know. */
  dirty = false
  /** The connection is gone, and with it what was watched and queued. */
  lost = false
  /** Members that Keyward answers: what they do to the session is known when EXEC has run. */
  answersOwn = false
  /** The database that members queued from now on see; undefined: the session's. */
  db: number | undefined = undefined
  private count = 0
  private members: Map<number, Member> | undefined = undefined
  /** Bytes kept for members. */
  bytes = 0

  get active(): boolean {
    return this.multi || this.watching
  }

  begin(): void {
    this.multi = true
    this.count = 0
    this.members = undefined
    this.bytes = 0
    this.db = undefined
    this.answersOwn = false
  }

  /** One more member was sent; `member` says what its element needs, if anything. */
  queue(member: Member | undefined): void {
    const index = this.count++
    if (member === undefined) return
    this.members ??= new Map()
    this.members.set(index, member)
    if (member.kind !== 'local') return
    this.bytes += member.args.size
    this.answersOwn = true
  }

  /** EXEC or DISCARD: the transaction is over as far as reading goes. Returns the members that EXEC's reply needs. */
  end(): ReadonlyMap<number, Member> | undefined {
    const members = this.members
    this.multi = false
    this.watching = false
    this.dirty = false
    this.lost = false
    this.db = undefined
    this.members = undefined
    this.bytes = 0
    return members
  }
}
