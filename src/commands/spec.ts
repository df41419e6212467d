import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Reply } from '../resp/types.ts'
import type { Session, TopicCounts } from '../session/session.ts'
import type { Extension, Tenant } from '../session/tenant.ts'
import type { ArgView } from './arg-view.ts'
import type { KeySpec } from './key-spec.ts'
import type { Offers } from './offers.ts'
import type { UpstreamFacts } from './upstream-facts.ts'
import type { CacheStats, ClientView, SlowLogView } from './views.ts'

export { FLAG } from './flags.ts'
export type { KeySpec }

/**
 * Which way a request takes. `shared`: a lane. `local`: answered here. `blocking`, `transaction`, `wait`: a pin.
 * `job`: many upstream calls of Keyward's own; for the empty prefix, a lane. `pubsub`: the tenant's subscriber. `script`: behind a
 * prologue and a wall; for the empty prefix, a lane.
 */
export type Route = 'shared' | 'local' | 'blocking' | 'transaction' | 'wait' | 'job' | 'pubsub' | 'script'

/**
 * Who may run a command (open-to.ts). `passthrough`: only the tenant with an empty prefix. `extension`: tenants that have
 * the extension that the command belongs to, and to others it does not exist.
 */
export type Openness = 'tenant' | 'script' | 'function' | 'passthrough' | 'extension' | 'refused'

/**
 * Where a command is that is open. `newer`: not on every server of the table, so the upstream is asked. `module`: a module's, and the
 * upstream must say of it just what was reviewed (offers.ts).
 */
export type Presence = 'always' | 'newer' | 'module'

/** All that is known of one command or subcommand. Built once at start; one object each, compared by identity. */
export interface CommandSpec {
  /** Lower case; a subcommand is "container|sub". */
  readonly name: string
  /** Dense, for arrays of counters. */
  readonly index: number
  /** As in COMMAND: n = exactly n arguments with the name, -n = at least n. */
  readonly arity: number
  /** FLAG bits. */
  readonly flags: number
  readonly categories: readonly string[]
  readonly keySpecs: readonly KeySpec[]
  /**
   * The hot path's view of the keys: arguments first, first+step … last (last < 0 counts from the end, -1 = the last).
   * first = 0: no keys. first = -1: not fixed, ask `findKeys`.
   */
  readonly firstKey: number
  readonly lastKey: number
  readonly keyStep: number
  /** The argument that is a channel: the tenant's prefix goes in front of it, whatever the database. 0: none. */
  readonly channel: number
  readonly route: Route
  readonly open: Openness
  readonly presence: Presence
  /** For one of Keyward's own commands, which the upstream does not know under this name. */
  readonly extension?: Extension
  /** Why it is not open for prefixed tenants; for the log, `keyward explain` and docs/commands.md. '' when it is open. */
  readonly refusal: string
  readonly quirk: Quirk
  readonly subcommands: ReadonlyMap<string, CommandSpec> | undefined
}

/** Where findKeys leaves argument indices, in ascending order, no duplicates. Reused. */
export class KeyList {
  at = new Int32Array(16)
  count = 0

  push(index: number): void {
    if (this.count === this.at.length) {
      const wider = new Int32Array(this.at.length * 2)
      wider.set(this.at)
      this.at = wider
    }
    this.at[this.count++] = index
  }
}

/** What the table cannot say of a command; leave out what it already knows. */
export interface Quirk {
  readonly route?: Route
  /** Argument indices of all keys, ascending, in place of the key specs. Must find every argument that Redis could take for a key. */
  keys?(args: ArgView, out: KeyList): void
  /** For route `blocking`: milliseconds it may block, 0 = for ever, undefined = with these arguments it does not block. */
  blocks?(args: ArgView): number | undefined
  /** Where the time-out of a command that blocks stands, and in what unit: 1 = seconds, 1000 = milliseconds. */
  timeout?(args: ArgView): { readonly at: number; readonly perSecond: 1 | 1000 }
  /** The argument as many places behind each key as there are keys is an id, and `$` means the newest one now (XREAD). */
  readonly fromNewest?: true
  /** Why these arguments are not open for a prefixed tenant; undefined: they are. */
  refuses?(args: ArgView): string | undefined
  /**
   * The error, without the `-`, with which Keyward answers these arguments itself, whoever the tenant is, since what the server
   * would answer breaks the connection; undefined: they are sent. `offers`: the commands of the upstream, if they are known.
   */
  rejects?(args: ArgView, offers: Offers | undefined): string | undefined
  /** Fewer arguments than so many, with the name, are never rejected. */
  readonly rejectsFrom?: number
  /** For route `local`: answers into call.reply, exactly one reply. */
  answer?(call: LocalCall): void
  /**
   * For route `shared`: the arguments to send in place of the client's, prefixes included (MOVE becomes RENAMENX).
   * undefined: it is answered into call.reply instead.
   */
  forward?(call: LocalCall): readonly Buffer[] | undefined
  /** What the client gets in place of this error reply (without `-` and CRLF), as a whole frame; undefined: the error. */
  instead?(error: string): Buffer | undefined
  /** Which argument is a channel of the tenant's. */
  readonly channel?: number
  /**
   * Puts into the reply to a forwarded request what the upstream cannot know. `args`: what the client asked. Only for
   * tenants with extensions.
   */
  amend?(reply: Reply, args: ArgView, session: Session): void
  /** The reply counts or names subscribers: client/pubsub/counts.ts makes it what the tenant must see. */
  readonly corrected?: true
  /** Calls `strip` on every element of the reply that is a raw key. Leaves nulls and errors alone. */
  reply?(reply: Reply, strip: (key: Reply) => void): void
  /** Where in the text of an error reply (without the `-`) a raw key stands, which then begins with `prefix`; -1: nowhere. */
  errorKey?(text: Buffer, prefix: Buffer): number
}

/** What a local answer may use. Reused: valid during the call only. */
export interface LocalCall {
  readonly session: Session
  readonly spec: CommandSpec
  readonly args: ArgView
  readonly reply: ReplyWriter
  readonly server: ServerView
  /** The database that the request sees, and what stands in front of its raw keys: in MULTI, SELECT may have changed it. */
  readonly db: number
  readonly prefix: Buffer
  /** True between MULTI and EXEC. */
  readonly inTransaction: boolean
  /** Ask for the connection to be closed once the reply is written (QUIT). */
  close(): void
}

/** How many keys a database had, and how many seconds ago that was. */
export interface KeyCount {
  readonly db: number
  readonly keys: number
  readonly age: number
}

/** What local answers (INFO, CLIENT LIST, COMMAND …) may ask about the process; proxy.ts fills it. */
export interface ServerView {
  /** Keyward's version. */
  readonly version: string
  /** Milliseconds since the epoch at which the process started. */
  readonly startedAt: number
  /** Milliseconds since the epoch. */
  now(): number
  /** What is known of the tenant's upstream server. */
  upstream(tenant: Tenant): UpstreamFacts
  /** The clients of this tenant in this process. */
  clientsOf(tenant: Tenant): Iterable<ClientView>
  slowlog(tenant: Tenant): SlowLogView
  /** How many names the clients of this tenant in this process are subscribed to. */
  topics(tenant: Tenant): TopicCounts
  /** `notify-keyspace-events`, as this tenant sees it. */
  events(tenant: Tenant): string
  /** False: it is not a valid value. */
  setEvents(tenant: Tenant, events: string): boolean
  /** Holds back the requests of this tenant's clients that go upstream, for so many milliseconds. */
  pause(tenant: Tenant, time: number, writesOnly: boolean): void
  unpause(tenant: Tenant): void
  /**
   * The databases of this tenant with how many keys they had when they were counted last, so many seconds ago; nothing
   * before the first count. Asking has them counted again in the background, at most once a minute.
   */
  keyCounts(tenant: Tenant): Iterable<KeyCount>
  /** Of the tenant's near cache in this process. */
  cacheStats(tenant: Tenant): CacheStats
  /** Drops its entries, of all databases, or those of keys that match this pattern; returns how many. */
  flushCache(tenant: Tenant, pattern: Buffer | undefined): number
  /** Requests of this tenant since the start. */
  requests(tenant: Tenant): number
  /** Every command that this tenant may run, containers with their open subcommands. */
  commands(tenant: Tenant): readonly CommandSpec[]
  /** Any command by its name, in any case ("get", "client"). */
  command(name: string): CommandSpec | undefined
}
