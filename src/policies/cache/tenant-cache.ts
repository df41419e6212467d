import type { CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Session } from '../../session/session.ts'
import type { CacheOptions, Tenant } from '../../session/tenant.ts'
import type { KeyPart } from '../key-part.ts'
import { isNull, isOfNothing } from './absent.ts'
import type { CacheView } from './cache-view.ts'
import { Entries, LARGEST_SHARE } from './entries.ts'
import type { Entry } from './entry.ts'
import type { EntryKey, EntryProbe } from './entry-key.ts'
import type { Generations } from './generations.ts'
import type { HashState, KeyHash } from './key-hash.ts'
import { endOf } from './lifetime.ts'
import { CachedRule } from './rule.ts'
import type { CacheSource } from './source.ts'

/** What the caches of all tenants share. */
export interface CacheHost {
  readonly clock: Clock
  /** By CommandSpec.index; see KIND. */
  readonly kinds: Uint8Array
  readonly get: CommandSpec
  readonly pttl: CommandSpec
  readonly hasher: KeyHash
  /** Of the request at hand. */
  readonly probe: EntryProbe
  readonly keys: KeyList
  readonly generations: Generations
  /** 0 to 1. */
  random(): number
}

/** What a reply will be the answer to, and what was true before anybody was asked for it. */
export interface Want {
  readonly key: EntryKey
  readonly rule: CachedRule
  readonly slot: number
  readonly generation: number
  readonly tenantEpoch: number
  readonly feedEpoch: number
  readonly flushes: number
  /** Clock milliseconds. */
  readonly askedAt: number
}

/** What is kept for one tenant in this process, and whether it may be served. */
export class TenantCache {
  readonly tenant: Tenant
  /** For CacheSource.fetch. */
  readonly index: number
  readonly host: CacheHost
  readonly options: CacheOptions
  readonly rules: readonly CachedRule[]
  readonly entries: Entries
  /** Raised whenever any of its keys may have been written. */
  epoch = 0
  source: CacheSource | undefined = undefined
  /** What find() has returned was past its end, or not followed any more. */
  stale = false
  private rejected = 0
  /** How often something was to be dropped: what was asked for before is not kept. */
  private flushes = 0
  /** By hash of the entry: the generation in which its reply was too large to be kept. */
  private readonly large = new Map<number, number>()
  /** By database. */
  private readonly states: HashState[] = []

  constructor(tenant: Tenant, options: CacheOptions, index: number, host: CacheHost) {
    this.tenant = tenant
    this.index = index
    this.host = host
    this.options = options
    this.rules = options.rules.map((rule) => new CachedRule(rule))
    this.entries = new Entries(options.memory, (entry) => this.isDead(entry))
  }

  /** From now on it is filled from there. */
  follow(source: CacheSource | undefined): void {
    // Another server, perhaps: what was fetched from the one before says nothing, whatever the epochs of their feeds are.
    if (source !== this.source) this.outdate()
    this.source = source
  }

  /** Any of its keys may have been written. */
  outdate(): void {
    this.epoch++
  }

  /** The first that matches. */
  ruleOf(buf: Buffer, start: number, end: number): CachedRule | undefined {
    const { rules } = this
    for (let i = 0; i < rules.length; i++) if (rules[i].pattern.matches(buf, start, end)) return rules[i]
    return undefined
  }

  /** In front of the raw keys of the session's database. */
  stateOf({ db, prefix }: Session): HashState {
    this.states[db] ??= this.host.hasher.stateOf(prefix)
    return this.states[db]
  }

  /** Writes are heard of soon enough: entries may be served, and made. */
  get fresh(): boolean {
    const { source } = this
    return source !== undefined && this.host.clock.now - source.feed.heardAt <= this.options.maxStaleness
  }

  /** It is away, and what was kept may be served longer. */
  get forsaken(): boolean {
    return this.options.staleWhileDown > 0 && this.source?.down === true
  }

  /** The entry that the request at hand can be answered from; `stale` tells of what kind it is. */
  find(probe: EntryProbe, rule: CachedRule, fresh: boolean): Entry | undefined {
    const entry = this.entries.find(probe)
    if (entry === undefined) return undefined
    if (entry.generation !== this.host.generations.at(entry.slot) || entry.tenantEpoch !== this.epoch) {
      rule.invalidations++
      this.entries.drop(entry)
      return undefined
    }
    this.stale = false
    const { now } = this.host.clock
    if (fresh && now < entry.expiresAt && entry.feedEpoch === this.source?.feed.epoch) return entry
    return this.findStale(entry, rule, fresh, now)
  }

  private findStale(entry: Entry, rule: CachedRule, fresh: boolean, now: number): Entry | undefined {
    const { staleWhileDown } = this.options
    const late = now >= entry.expiresAt
    if (late) rule.expired++
    const missed = fresh && entry.feedEpoch !== this.source?.feed.epoch
    if (missed) rule.invalidations++
    // As long as the server may turn out to be away, what could be served then stays.
    if (missed || now >= entry.expiresAt + staleWhileDown) this.entries.drop(entry)
    else if (this.forsaken) {
      this.stale = true
      return entry
    }
    return undefined
  }

  /** Can it never be served again? */
  private isDead(entry: Entry): boolean {
    const { host, options, source } = this
    if (entry.generation !== host.generations.at(entry.slot) || entry.tenantEpoch !== this.epoch) return true
    if (host.clock.now >= entry.expiresAt + options.staleWhileDown) return true
    return options.staleWhileDown === 0 && entry.feedEpoch !== source?.feed.epoch
  }

  /** Before anybody is asked for the reply to what `probe` holds. */
  want(probe: EntryProbe, rule: CachedRule): Want {
    const { generations, clock } = this.host
    const slot = generations.slotOf(probe.keyHash)
    return {
      key: probe.key(),
      rule,
      slot,
      generation: generations.at(slot),
      tenantEpoch: this.epoch,
      feedEpoch: this.source?.feed.epoch ?? 0,
      flushes: this.flushes,
      askedAt: clock.now,
    }
  }

  /** Nothing that is known of has been written since, and nothing was to be dropped. */
  holds({ slot, generation, tenantEpoch, feedEpoch, flushes }: Want): boolean {
    if (generation !== this.host.generations.at(slot) || tenantEpoch !== this.epoch) return false
    return feedEpoch === this.source?.feed.epoch && flushes === this.flushes
  }

  /** Would the reply to what `probe` holds be too large, as it was before? */
  isLarge(probe: EntryProbe): boolean {
    if (this.large.size === 0) return false
    const { generations } = this.host
    return this.large.get(probe.hash) === generations.at(generations.slotOf(probe.keyHash))
  }

  /**
   * Keeps buf[start..end), the reply that was wanted, if it still holds. `pttl`: as readPttl has it, of the key, asked for after `askedAt`.
   */
  keep(want: Want, pttl: number, buf: Buffer, start: number, end: number): void {
    if (!this.holds(want)) return
    const { clock, get } = this.host
    const { key, rule, askedAt } = want
    // An element of MGET is null also for a key of another type, of which GET would say something else.
    if (key.command === get.index && pttl !== -2 && isNull(buf, start, end)) return
    const absent = pttl === -2 && isOfNothing(buf.subarray(start, end))
    const expiresAt = endOf(pttl, absent, askedAt, rule.options, this.host.random())
    if (expiresAt <= clock.now) return
    const { slot, generation, tenantEpoch, feedEpoch } = want
    const stamp = { slot, generation, tenantEpoch, feedEpoch, storedAt: clock.now, expiresAt }
    const done = this.entries.store(key, stamp, buf, start, end)
    if (done === 'stored') rule.stored++
    else this.rejected++
    if (done === 'large') this.tooLarge(want)
  }

  /** May a reply of so many bytes be kept, as far as can be seen without its key? */
  hasRoomFor(bytes: number): boolean {
    return bytes <= this.options.memory / LARGEST_SHARE
  }

  /** The reply is too large to be kept: next time it takes the way that it would take without a cache. */
  tooLarge({ key, generation }: Want): void {
    if (this.large.size >= MOST_LARGE) this.large.clear()
    this.large.set(key.hash, generation)
  }

  /** Drops entries of all databases, or those of keys that match; says how many. What is under way now is not kept, whatever its key. */
  flush(pattern: KeyPart | undefined): number {
    this.flushes++
    if (pattern === undefined) return this.entries.clear()
    return this.entries.dropMatching((bytes, start, end) => pattern.matches(bytes, start, end))
  }

  close(): void {
    // What is under way finds that it does not hold any more.
    this.outdate()
    this.entries.clear()
  }

  view(): CacheView {
    const { entries, rejected, rules } = this
    const heardAt = this.source?.feed.heardAt ?? Number.NEGATIVE_INFINITY
    return {
      tenant: this.tenant.name,
      bytes: entries.bytes,
      memory: this.options.memory,
      entries: entries.count,
      evictions: entries.evictions,
      rejected,
      behind: Math.max(0, this.host.clock.now - heardAt),
      rules: rules.map((rule) => rule.view()),
    }
  }
}

/** Replies known to be too large; past that all are forgotten, and found out again one by one. */
const MOST_LARGE = 1000
