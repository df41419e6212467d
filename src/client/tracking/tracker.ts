import type { Exchange } from '../../commands/exchange.ts'
import { type CommandSpec, FLAG, type KeyList } from '../../commands/spec.ts'
import type { PolicyRequest } from '../../policies/policy.ts'
import type { Tracking } from '../../session/tracking.ts'
import { brokenRedirect, Notice } from './notice.ts'
import type { Read, Reader, TrackingClient } from './reader.ts'
import type { TrackedTenant } from './tracked-tenant.ts'

/**
 * One client that tracks, as long as it does so in the same tenant at the same upstream: what it has asked for, and how it is told.
 *
 * The reply to a read comes on another connection than the word that its key was written, so the one may overtake the other. A client
 * that hears of the write first would keep the reply for ever. So reads are known as such from before they are sent until their reply
 * has gone out, and one whose key was written meanwhile is followed by the word of that (again, perhaps).
 */
export class Tracker implements Reader {
  readonly place: TrackedTenant
  /** undefined: it has left, or does not track any more. */
  client: TrackingClient | undefined
  /** What its session says. */
  state: Tracking
  /** Who is told in its place. */
  private target: TrackingClient | undefined = undefined
  /** The client has turned tracking off, when its place was in this epoch. */
  private pausedIn: number | undefined = undefined
  /** Reads that are not answered, as far as is known, in their order. */
  private readonly reads: Read[] = []
  private prefixes: readonly string[] = []
  /** What that takes, about; charged to the client. */
  bytes = 0
  /** CLIENT CACHING counts for the request at hand. */
  private given = false
  /** CLIENT CACHING is a member of the transaction that is open. */
  private queued = false

  constructor(client: TrackingClient, place: TrackedTenant, state: Tracking) {
    this.client = client
    this.place = place
    this.state = state
  }

  get over(): boolean {
    return this.client === undefined
  }

  get bcast(): boolean {
    return this.state.bcast
  }

  /** The client has turned tracking on, again perhaps. `target`: the client of state.redirect, if there is one. */
  renew(state: Tracking, target: TrackingClient | undefined): void {
    this.state = state
    this.target = target
    this.pausedIn = undefined
    // There are only ever more of them. What those that it has are about to be told must not be lost.
    const known = new Set(this.prefixes)
    this.prefixes = state.prefixes.map((prefix) => prefix.toString('latin1'))
    for (const prefix of this.prefixes) {
      if (known.has(prefix)) continue
      this.bytes += PREFIX_BYTES + prefix.length
      this.place.broadcasts.join(this, prefix)
    }
    if (state.bcast) this.place.joined()
  }

  /** The client has turned tracking off, perhaps not for good. */
  pause(): void {
    this.pausedIn = this.place.heard ? this.place.epoch : NOT_HEARD
    this.target = undefined
    this.partAll()
  }

  /** Since it was paused, all writes have been heard of. */
  get complete(): boolean {
    return this.place.heard && this.place.epoch === this.pausedIn
  }

  private partAll(): void {
    for (const prefix of this.prefixes) this.place.broadcasts.part(this, prefix)
    this.prefixes = []
    this.bytes = 0
  }

  /** Its reads that are not answered: the client tracks on elsewhere, where `adopt` gets them. */
  takeReads(): readonly Read[] {
    const reads = this.reads.splice(0)
    for (const read of reads) this.place.forget(read)
    return reads
  }

  /** They were asked before anybody here heard of writes: behind their replies it is told not to keep them. */
  adopt(reads: readonly Read[]): void {
    for (const { x, names } of reads) {
      const read: Read = { reader: this, x, names, epoch: NOT_HEARD, written: undefined }
      this.reads.push(read)
      this.place.enter(read)
    }
  }

  /** It does not track any more, or not here. */
  end(): void {
    this.client = undefined
    this.target = undefined
    this.partAll()
    for (const read of this.reads.splice(0)) this.place.forget(read)
  }

  // Its requests.

  /** A request is about to be looked at; undefined: it is no command that there is. `inMulti`: between MULTI and EXEC. */
  next(spec: CommandSpec | undefined, inMulti: boolean): void {
    const { state } = this
    const name = spec?.name ?? ''
    this.given = state.caching || this.queued
    if (inMulti) {
      // Whatever it says: that too much is tracked does no harm.
      if (name === CACHING) this.queued = state.optin
      if (!ENDS.has(name)) return
      this.queued = false
    } else if (name === 'multi' || name.startsWith('client|')) return
    state.caching = false
  }

  /** The request at hand is about to be sent as x: `keys` are the numbers of those of its arguments that are keys. */
  note(x: Exchange, request: PolicyRequest, keys: KeyList): void {
    if (keys.count === 0 || !this.reading(x.spec)) return
    const names = this.namesOf(request, keys)
    if (names.length === 0) return
    const transaction = x.inTransaction ? this.client?.transaction : undefined
    if (transaction?.multi === true) transaction.read(names)
    else this.read(x, names)
  }

  /** These names are read by x, which is about to be sent. */
  read(x: Exchange, names: readonly string[]): void {
    const { place } = this
    const read: Read = { reader: this, x, names, epoch: place.heard ? place.epoch : NOT_HEARD, written: undefined }
    this.reads.push(read)
    place.enter(read)
  }

  /** The request at hand has been answered from what Keyward keeps. */
  answered(spec: CommandSpec, request: PolicyRequest, keys: KeyList): void {
    if (!this.reading(spec)) return
    const { place } = this
    place.know(this, this.namesOf(request, keys), place.heard)
  }

  private reading({ channel, flags, name }: CommandSpec): boolean {
    const { optin, optout } = this.state
    if (channel > 0 || ((flags & FLAG.READONLY) === 0 && !SCRIPTS.has(name))) return false
    return this.given ? !optout : !optin
  }

  private namesOf({ buf, args, argc }: PolicyRequest, keys: KeyList): string[] {
    const names: string[] = []
    for (let i = 0; i < keys.count; i++) {
      const k = keys.at[i]
      if (k >= argc) break
      const name = buf.toString('latin1', args[2 * k], args[2 * k + 1])
      if (!this.state.bcast || this.place.broadcasts.wants(this, name)) names.push(name)
    }
    return names
  }

  /** Whichever of its reads are answered now are not under way any more. */
  settle(): void {
    const { reads, place } = this
    let done = 0
    while (done < reads.length && isOver(reads[done].x)) done++
    if (done === 0) return
    for (const read of reads.splice(0, done)) place.settle(read)
    if (reads.length === 0) place.busy.delete(this)
  }

  // What it is told.

  tell(notice: Notice): void {
    const { client, state } = this
    if (client === undefined || this.pausedIn !== undefined) return
    if (state.redirect === 0) {
      if (client.protocol === 3) this.push(client, notice.push)
      return
    }
    const { target } = this
    if (target === undefined || target.gone || target.session.tenant?.name !== this.place.tenant) {
      this.target = undefined
      state.broken = true
      if (client.protocol === 3) client.push(brokenRedirect(state.redirect))
    } else if (target.protocol === 3) this.push(target, notice.push)
    else {
      const { channels, patterns, shards } = target.session.topics
      if (channels + patterns + shards > 0) this.push(target, notice.message)
    }
  }

  private push(to: TrackingClient, frame: Buffer): void {
    this.place.stats.invalidations++
    to.push(frame)
  }

  /** All that it keeps may be wrong. */
  tellEverything(): void {
    if (this.client !== undefined) this.tell(Notice.EVERYTHING[this.client.protocol])
  }
}

function isOver({ place }: Exchange): boolean {
  return place === 'answered' || place === 'abandoned'
}

/** No epoch has this number. */
const NOT_HEARD = -1
/** A prefix of a client, and the group of those who have it, about. */
const PREFIX_BYTES = 500

const CACHING = 'client|caching'
/** Of a transaction. */
const ENDS: ReadonlySet<string> = new Set(['exec', 'discard', 'reset'])
/** Not said to be reads, but they may read what they declare. */
const SCRIPTS: ReadonlySet<string> = new Set(['eval', 'evalsha', 'fcall'])
