import type { Offers } from '../commands/offers.ts'

import { ExpiryRight } from './expiry-right.ts'

export interface FactsLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

/** Things the service user should be able to do, and what is lost when it cannot. */
export const POWERS = {
  'client id': 'after a lost connection, an old write may still be executed behind a newer one',
  'client kill': 'after a lost connection, an old write may still be executed behind a newer one',
  'client no-evict': 'maxmemory-clients of the upstream may close lanes',
  command: 'commands of modules are refused, and those of newer servers are sent to it unseen',
  'client unblock': 'CLIENT UNBLOCK of tenants unblocks nobody',
  info: 'its version and LOADING are not seen in advance',
  role: 'a replica is known by what it refuses only, and READONLY is passed on',
  pexpire: 'writes that an expiry has to follow, by the ttl rules of their tenant, are refused',
} as const
export type Power = keyof typeof POWERS

/** Redis' words for a primary and a replica. */
export type Role = 'master' | 'slave'

/** Anything else ("sentinel", nothing) is no role that requests could rely on. */
export function isRole(text: string | undefined): text is Role {
  return text === 'master' || text === 'slave'
}

/** What handshakes have learned of a server and of what its user may do. Each thing that is missing is said once. */
export class ServerFacts {
  runId = ''
  /** Fields of the newest INFO; empty before the first connection. */
  info: ReadonlyMap<string, string> = new Map()
  /** Clock time at which that was asked for. */
  learnedAt = Number.NEGATIVE_INFINITY
  /** Redis' words. Unknown: not connected yet, or neither ROLE nor INFO is open to us. */
  role: Role | 'unknown' = 'unknown'
  resp3 = true
  /** Its commands; undefined: not known yet, or not to be known. */
  offers: Offers | undefined = undefined
  /** run_id of the server whose commands these are. */
  private offeredBy: string | undefined = undefined
  /** `notify-keyspace-events`; undefined: not known yet, or not to be known. */
  events: string | undefined = undefined
  /** Whether its user may do what ttl rules need. */
  readonly expiry = new ExpiryRight()
  private readonly upstream: string
  private readonly log: FactsLog
  private readonly said = new Set<string>()

  constructor(upstream: string, log: FactsLog) {
    this.upstream = upstream
    this.log = log
  }

  get version(): string | undefined {
    return this.info.get('redis_version')
  }

  /** PEXPIRE knows NX there: Redis 7.0 or newer. What is not known counts as new: elsewhere it takes a script, which lanes may not run. */
  get knowsExpireNx(): boolean {
    return !(Number.parseInt(this.version ?? '', 10) < 7)
  }

  /**
   * It drops scripts that came by EVAL when there are too many, also those that SCRIPT LOAD has named since: Redis from 7.4 on. Valkey
   * keeps these. Not known: yes.
   */
  get dropsLoaded(): boolean {
    const version = /^(\d+)\.(\d+)/.exec(this.version ?? '')
    const before = version !== null && Number(version[1]) * 1000 + Number(version[2]) < 7004
    return !before && !this.info.has('valkey_version')
  }

  /** `reply`: to the question of `expiry`. */
  learnedExpiry(reply: string): void {
    if (this.expiry.judge(reply)) this.missing('pexpire', reply.trimEnd())
  }

  /** `at`: clock time at which it was asked for. */
  learned(info: ReadonlyMap<string, string>, at: number): void {
    this.info = info
    this.learnedAt = at
    this.runId = info.get('run_id') ?? ''
    const role = info.get('role')
    if (isRole(role)) this.role = role
  }

  /** Nobody has asked this server for its commands yet. */
  asksOffers(): boolean {
    return this.offeredBy !== this.runId
  }

  offered(offers: Offers | undefined): void {
    this.offers = offers
    this.offeredBy = this.runId
  }

  noResp3(): void {
    this.resp3 = false
    this.sayOnce('resp3', {}, 'the upstream has no RESP3: HELLO 3 is answered NOPROTO')
  }

  outputLimited(setting: string): void {
    this.sayOnce(
      'output limit',
      { setting },
      'the upstream limits the output of normal clients, and lanes are such clients: set client-output-buffer-limit normal 0 0 0',
    )
  }

  /** `letters` of notify-keyspace-events, which the server does not have and some tenant wants. */
  lacksEvents(letters: string): void {
    this.sayOnce(
      `events ${letters}`,
      { events: this.events, lacking: letters },
      `a tenant wants keyspace notifications that the upstream does not send: CONFIG SET notify-keyspace-events with ${letters} added to what it has, or set it in the file of the server`,
    )
  }

  noChannels(error: string): void {
    this.sayOnce(
      'channels',
      { error },
      "the upstream's user may not subscribe to what its tenants want: allow it with ACL SETUSER … +@pubsub &*",
    )
  }

  /** The default of Redis, so nothing to warn of. */
  subscribersLimited(setting: string): void {
    this.sayOnce(
      'subscribers limit',
      { setting },
      'the upstream cuts off a connection with more messages unread than this, and all subscriptions of a tenant share one; Keyward bounds each subscriber itself: CONFIG SET client-output-buffer-limit "pubsub 0 0 0"',
      'info',
    )
  }

  missing(power: Power, error: string): void {
    const rule = `+${power.replace(' ', '|')}`
    this.sayOnce(
      power,
      { power, error },
      `the upstream's user may not do ${power.toUpperCase()}: ${POWERS[power]}; allow it with ACL SETUSER … ${rule}`,
    )
  }

  private sayOnce(what: string, fields: object, text: string, level: 'info' | 'warn' = 'warn'): void {
    if (this.said.has(what)) return
    this.said.add(what)
    this.log[level]({ upstream: this.upstream, ...fields }, text)
  }
}
