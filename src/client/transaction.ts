import { type Meter, Meters } from '../commands/delay.ts'
import type { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { Asked } from './pubsub/asked.ts'
import type { TenantRun } from './scripting/tenant-run.ts'
import type { StoredArgs } from './stored-args.ts'

/** Note of an EXEC that must abort: DISCARD goes upstream, this error to the client. */
export class Abort {
  readonly error: Buffer

  constructor(error: Buffer) {
    this.error = error
  }
}

/** x, an EXEC that was not sent: it discards the transaction, and its client is told why. */
export function discardInstead(x: Exchange, error: Buffer): void {
  x.setBytes(DISCARD)
  x.note = new Abort(error)
}

export const DISCARD = Buffer.from('*1\r\n$7\r\nDISCARD\r\n')

/** What happens to one element of EXEC's array. */
export type Member =
  | { readonly kind: 'strip'; readonly spec: CommandSpec; readonly prefix: Buffer }
  | { readonly kind: 'local'; readonly spec: CommandSpec; readonly args: StoredArgs }
  | { readonly kind: 'amended'; readonly spec: CommandSpec; readonly args: StoredArgs }
  | { readonly kind: 'corrected'; readonly spec: CommandSpec; readonly asked: Asked }
  | { readonly kind: 'said'; readonly bytes: Buffer }
  | { readonly kind: 'script'; readonly run: TenantRun }
  | { readonly kind: 'cut' }

/**
 * MULTI and WATCH of one client, as far as Keyward must know: Redis itself queues and executes. Members that
 * Keyward answers are queued upstream as PING and replaced in EXEC's array; keys that come back are stripped there.
 */
export class Transaction {
  /** Between MULTI and EXEC or DISCARD, as requests are read. */
  multi = false
  /** WATCH was sent and nothing has ended it. */
  watching = false
  /** It runs as its tenant's own user of the upstream. */
  walled = false
  /** Its MULTI or WATCH, while it is found out as whom it runs. */
  settling: Exchange | undefined = undefined
  /** A member was refused here: EXEC must abort, which the upstream does not know. */
  dirty = false
  /** The connection is gone, and with it what was watched and queued. */
  lost = false
  /** Members that Keyward answers: what they do to the session is known when EXEC has run. */
  answersOwn = false
  /** The database that members queued from now on see; undefined: the session's. */
  db: number | undefined = undefined
  /** Members queued so far. */
  count = 0
  private members: Map<number, Member> | undefined = undefined
  /** Bytes kept for members. */
  bytes = 0
  /** Scripts, by their SHA upstream, whose text a member brings along. */
  private brought: Set<string> | undefined = undefined
  /** What members read, for CLIENT TRACKING. */
  reads: string[] | undefined = undefined
  /** Who wants to know how large the replies of members were. */
  private meters: Set<Meter> | undefined = undefined
  /** Members as MONITOR will show them when they are executed; only while the tenant is watched. */
  seen: Buffer[] | undefined = undefined

  get active(): boolean {
    return this.multi || this.watching
  }

  begin(): void {
    this.multi = true
    this.count = 0
    this.members = undefined
    this.seen = undefined
    this.bytes = 0
    this.reads = undefined
    this.brought = undefined
    this.meters = undefined
    this.db = undefined
    this.answersOwn = false
  }

  /** It is known as whom x runs; what it opened may be over, and the next one read. */
  settled(x: Exchange, walled: boolean): void {
    if (this.settling !== x) return
    this.settling = undefined
    this.walled = walled
  }

  /** One more member was sent; `member` says what its element needs, if anything. */
  queue(member: Member | undefined): void {
    const index = this.count++
    if (member === undefined) return
    this.members ??= new Map()
    this.members.set(index, member)
    if (member.kind === 'corrected') this.bytes += member.asked.name?.length ?? 0
    if (member.kind === 'local' || member.kind === 'amended') this.bytes += member.args.size
    if (member.kind === 'local') this.answersOwn = true
    if (member.kind === 'cut') this.bytes += CUT_BYTES
    if (member.kind === 'script') this.bytes += member.run.kept
  }

  /**
   * A script is a member. True: an earlier one brings its text along, so the server, which drops the scripts that were used longest
   * ago, has it when this one is executed.
   */
  hasText(sha: string): boolean {
    this.brought ??= new Set()
    if (this.brought.has(sha)) return true
    if (this.brought.size < MOST_BROUGHT) this.brought.add(sha)
    return false
  }

  /** A member reads these keys (one character per byte). */
  read(names: readonly string[]): void {
    this.reads ??= []
    for (const name of names) {
      this.reads.push(name)
      this.bytes += READ_BYTES + name.length
    }
  }

  /** A member whose reply, which comes with EXEC's, is metered. */
  measure(meter: Meter): void {
    this.meters ??= new Set()
    for (const part of meter.parts) {
      if (this.meters.has(part)) continue
      this.meters.add(part)
      this.bytes += METER_BYTES
    }
  }

  /** Of all members. */
  get meter(): Meter | undefined {
    return this.meters === undefined ? undefined : new Meters([...this.meters])
  }

  /** A member for MONITOR. */
  see(body: Buffer): void {
    this.seen ??= []
    this.seen.push(body)
    this.bytes += body.length
  }

  /** EXEC or DISCARD: the transaction is over as far as reading goes. Returns the members that EXEC's reply needs. */
  end(): ReadonlyMap<number, Member> | undefined {
    const members = this.members
    this.multi = false
    this.watching = false
    this.dirty = false
    this.lost = false
    this.walled = false
    this.settling = undefined
    this.db = undefined
    this.members = undefined
    this.seen = undefined
    this.bytes = 0
    this.reads = undefined
    this.brought = undefined
    this.meters = undefined
    return members
  }
}

/** The element is not the client's: of it nothing is known but its place. */
export const CUT: Member = { kind: 'cut' }
/** What remembering that costs, about. */
const CUT_BYTES = 48

/** Fewer than the 500 scripts of EVAL that Redis 7.4 and later keep. */
const MOST_BROUGHT = 100

/** What remembering a name costs beside its bytes, about. */
const READ_BYTES = 32

/** What remembering a meter costs, about. */
const METER_BYTES = 128
