import type { Meter } from '../../commands/delay.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import type { Session } from '../../session/session.ts'
import type { ClientPolicy, PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { KIND } from './cacheable.ts'
import { MOST_ASKED } from './entry-key.ts'
import type { Fills } from './fills.ts'
import type { Flights } from './flights.ts'
import { readMany } from './mget.ts'
import type { TenantCache } from './tenant-cache.ts'
import type { Touches } from './touches.ts'
import type { Writers } from './writers.ts'

/** The cache of a tenant, and what is around it. */
export interface ClientCacheParts {
  readonly cache: TenantCache
  readonly flights: Flights
  readonly fills: Fills
  readonly writers: Writers
  readonly touches: Touches
  /** Nothing that was let pass before this configuration is known to it. */
  readonly isNew: boolean
}

/** The cache of its tenant, as one client meets it. */
export class ClientCache implements ClientPolicy {
  private readonly parts: ClientCacheParts
  private readonly cache: TenantCache
  private readonly session: Session
  /** SELECT is a member of its transaction: what follows is in another database than the session, nobody here knows in which. */
  private wandered = false
  /** A transaction that is open began before this: a reload made a new one of these in its middle. */
  private sawBegin = false

  constructor(parts: ClientCacheParts, session: Session) {
    this.parts = parts
    this.cache = parts.cache
    this.session = session
  }

  onRequest(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict {
    if (!this.sawBegin && !request.inTransaction) this.sawBegin = true
    switch (this.cache.host.kinds[spec.index]) {
      case KIND.READ:
        return this.read(spec, request, ruling)
      case KIND.READ_ALONE:
        return request.argc === 2 ? this.read(spec, request, ruling) : 'go'
      case KIND.MGET:
        return readMany(this.parts, this.session, request, ruling)
      case KIND.WRITE:
      case KIND.COPY:
      case KIND.WRITE_ANY:
        this.write(spec, request, ruling)
        return 'go'
      case KIND.SELECT:
        if (request.inTransaction) this.wandered = true
        return 'go'
      case KIND.END:
        // Its members were queued under an earlier configuration: what they write was not seen.
        if (!this.sawBegin) this.parts.writers.any(ruling)
        this.wandered = false
        return 'go'
      default:
        return 'go'
    }
  }

  /** What was read meanwhile, on another connection, may be of before such a write, and would be kept beyond its reply. */
  underWay(spec: CommandSpec): Meter | undefined {
    if (!this.parts.isNew) return undefined
    switch (this.cache.host.kinds[spec.index]) {
      case KIND.WRITE:
      case KIND.COPY:
      case KIND.WRITE_ANY:
      case KIND.END:
        return this.parts.writers.unseen
      default:
        return undefined
    }
  }

  /** A hit allocates nothing. */
  private read(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): Verdict {
    const { cache, session } = this
    const { buf, args } = request
    const rule = cache.ruleOf(buf, args[2], args[3])
    if (rule === undefined || ruling.delay !== undefined || request.end - request.start > MOST_ASKED) return 'go'
    const { idle } = request
    if (!idle && request.inTransaction) return 'go'
    const { fresh } = cache
    if (!fresh && !cache.forsaken) {
      rule.misses++
      return 'go'
    }
    const probe = cache.host.probe.set(
      spec.index,
      session.protocol,
      session.db,
      cache.stateOf(session),
      buf,
      args,
      1,
      request.argc - 1,
    )
    const entry = cache.find(probe, rule, fresh)
    if (entry !== undefined && idle) {
      if (cache.stale) rule.staleServed++
      else {
        rule.hits++
        this.parts.touches.hit(cache, session, entry)
      }
      entry.answer(ruling)
      return 'reply'
    }
    // What is kept already need not be kept again; where others are not heard, or nobody answers, nothing is.
    const keeps = entry === undefined && fresh && cache.source?.down === false && !cache.isLarge(probe)
    if (keeps && idle) return this.parts.flights.board(probe, rule, spec, session, request, ruling)
    rule.misses++
    if (!keeps) return 'go'
    ruling.effects = { ...ruling.effects, fill: this.parts.fills.fill(probe, rule, session) }
    return 'go'
  }

  private write(spec: CommandSpec, request: PolicyRequest, ruling: Ruling): void {
    const { writers } = this.parts
    const { tenant, host } = this.cache
    const kind = host.kinds[spec.index]
    const many = tenant.databases !== undefined
    const elsewhere =
      many &&
      (((this.wandered || !this.sawBegin) && request.inTransaction) ||
        (kind === KIND.COPY && request.argc > COPY_REPLACE))
    if (kind === KIND.WRITE_ANY || elsewhere) writers.any(ruling)
    else writers.keys(spec, request, this.session, ruling)
  }

  leave(): void {}
}

/** COPY source destination REPLACE: with more arguments, one may name a database. */
const COPY_REPLACE = 4
