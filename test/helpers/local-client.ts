import { SlowLog } from '../../src/client/slowlog.ts'
import type { ArgView } from '../../src/commands/arg-view.ts'
import type { CommandTable } from '../../src/commands/lookup.ts'
import { isOpenTo } from '../../src/commands/open-to.ts'
import { quirks as acl } from '../../src/commands/quirks/acl.ts'
import { quirks as cache } from '../../src/commands/quirks/cache.ts'
import { quirks as client } from '../../src/commands/quirks/client.ts'
import { quirks as clientKill } from '../../src/commands/quirks/client-kill.ts'
import { quirks as clientPause } from '../../src/commands/quirks/client-pause.ts'
import { quirks as clientTracking } from '../../src/commands/quirks/client-tracking.ts'
import { quirks as clientUnblock } from '../../src/commands/quirks/client-unblock.ts'
import { quirks as cluster } from '../../src/commands/quirks/cluster.ts'
import { quirks as command } from '../../src/commands/quirks/command.ts'
import { quirks as config } from '../../src/commands/quirks/config.ts'
import { quirks as connection } from '../../src/commands/quirks/connection.ts'
import { quirks as copy } from '../../src/commands/quirks/copy.ts'
import { quirks as info } from '../../src/commands/quirks/info.ts'
import { quirks as latency } from '../../src/commands/quirks/latency.ts'
import { quirks as monitor } from '../../src/commands/quirks/monitor.ts'
import { quirks as move } from '../../src/commands/quirks/move.ts'
import { quirks as server } from '../../src/commands/quirks/server.ts'
import { quirks as slowlog } from '../../src/commands/quirks/slowlog.ts'
import { quirks as throttle } from '../../src/commands/quirks/throttle.ts'
import { unknownCommand, unknownSubcommand, wrongArity } from '../../src/commands/refusal.ts'
import type { KeyCount, ServerView } from '../../src/commands/spec.ts'
import { type CommandSpec, FLAG, type LocalCall, type Quirk } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import type { UpstreamFacts } from '../../src/commands/upstream-facts.ts'
import type { CacheStats, ClientView, SlowLogView } from '../../src/commands/views.ts'
import { ERRORS } from '../../src/errors.ts'
import { ReplyWriter } from '../../src/resp/reply-writer.ts'
import { type Authenticator, type Endpoint, type Login, Session, type TopicCounts } from '../../src/session/session.ts'
import type { Tenant } from '../../src/session/tenant.ts'
import { argsOf } from './arg-view.ts'

/** The commands that Keyward answers itself, or sends in another form. */
export const LOCAL: Readonly<Record<string, Quirk>> = {
  ...acl,
  ...cache,
  ...client,
  ...clientKill,
  ...clientPause,
  ...clientTracking,
  ...clientUnblock,
  ...cluster,
  ...command,
  ...config,
  ...connection,
  ...copy,
  ...info,
  ...latency,
  ...monitor,
  ...move,
  ...server,
  ...slowlog,
  ...throttle,
}

let table: CommandTable | undefined

export function theTable(): CommandTable {
  table ??= buildTable()
  return table
}

export function tenant(name: string, more: Partial<Tenant> = {}): Tenant {
  return {
    name,
    upstream: 'main',
    prefix: `${name}:`,
    databases: undefined,
    maxClients: undefined,
    buffers: { request: 1 << 30, output: 1 << 28, pubsub: 1 << 25 },
    subscriptions: 100_000,
    slowlog: { slowerThan: 10, entries: 128 },
    replicas: { read: 'never', maxLag: 1000 },
    limits: [],
    ttl: [],
    cache: undefined,
    weight: 1,
    scripts: 'allow',
    trustedScripts: new Set(),
    functions: 'refused',
    extensions: new Set(),
    users: new Map([['default', { name: 'default', digest: undefined }]]),
    index: 0,
    ...more,
  }
}

/** Passwords in plain text, by user; a login without a password is the listener's anonymous one. */
export function authenticator(
  passwords: Readonly<Record<string, readonly [password: string, login: Login]>>,
  anonymous?: Login,
): Authenticator {
  return {
    anonymous,
    login(user, password) {
      const entry = Object.hasOwn(passwords, user) ? passwords[user] : undefined
      return entry?.[0] === password.toString('latin1') ? entry[1] : undefined
    },
  }
}

/** Of a tenant that has none. */
const NO_CACHE: CacheStats = {
  hits: 0,
  staleServed: 0,
  misses: 0,
  crowded: 0,
  coalesced: 0,
  skipped: 0,
  stored: 0,
  rejected: 0,
  invalidations: 0,
  evictions: 0,
  expired: 0,
  entries: 0,
  bytes: 0,
  memory: 0,
  behind: undefined,
}

/** Everything that local answers may ask about a process; the fields may be changed. */
export class FakeServer implements ServerView {
  version = '0.1.0'
  startedAt = 1_700_000_000_000
  time = 1_700_000_100_000
  notify = ''
  facts: UpstreamFacts = { redisVersion: '7.0.15', resp3: true, usable: true, lastSave: 1_700_000_000, info: new Map() }
  /** Facts of tenants whose upstream is another one. */
  readonly factsOf = new Map<Tenant, UpstreamFacts>()
  readonly everybody: Session[] = []
  readonly killed: Session[] = []
  /** What CLIENT LIST shows of a session besides itself. */
  readonly views = new Map<Session, Partial<ClientView>>()
  readonly pauses: { tenant: string; time: number; writesOnly: boolean }[] = []
  readonly slow = new SlowLog()
  counts: readonly KeyCount[] = []
  /** What CACHE.STATS shows. */
  cache: CacheStats = NO_CACHE
  /** What CACHE.FLUSH was asked for. */
  readonly flushed: { tenant: string; pattern: Buffer | undefined }[] = []
  private readonly open = new Map<string, readonly CommandSpec[]>()

  now(): number {
    return this.time
  }

  upstream(tenant: Tenant): UpstreamFacts {
    return this.factsOf.get(tenant) ?? this.facts
  }

  *clientsOf(tenant: Tenant): Iterable<ClientView> {
    for (const session of this.everybody) {
      if (session.tenant === tenant && !this.killed.includes(session)) yield this.viewOf(session)
    }
  }

  private viewOf(session: Session): ClientView {
    const kill = () => void this.killed.push(session)
    const nothing = { queued: -1, queuedBytes: 0, blocked: false, inputBytes: 0, outputBytes: 0, heldBytes: 0 }
    return { session, ...nothing, ...this.views.get(session), kill }
  }

  slowlog(): SlowLogView {
    return this.slow
  }

  pause(tenant: Tenant, time: number, writesOnly: boolean): void {
    this.pauses.push({ tenant: tenant.name, time, writesOnly })
  }

  unpause(): void {
    this.pauses.length = 0
  }

  keyCounts(): readonly KeyCount[] {
    return this.counts
  }

  topics(): TopicCounts {
    return { channels: 3, patterns: 2, shards: 1 }
  }

  events(): string {
    return this.notify
  }

  setEvents(_tenant: Tenant, events: string): boolean {
    if (events.includes('Q')) return false
    this.notify = events
    return true
  }

  cacheStats(): CacheStats {
    return this.cache
  }

  flushCache(tenant: Tenant, pattern: Buffer | undefined): number {
    return this.flushed.push({ tenant: tenant.name, pattern })
  }

  requests(): number {
    return 42
  }

  commands(tenant: Tenant): readonly CommandSpec[] {
    const { cache, extensions, prefix } = tenant
    const kind = [prefix === '' ? 'pass' : '', cache === undefined ? '' : 'cached', ...[...extensions].sort()].join()
    let specs = this.open.get(kind)
    if (specs === undefined) {
      specs = theTable()
        .all()
        .filter((spec) => isOpenTo(spec, tenant, this.upstream(tenant).offers))
      this.open.set(kind, specs)
    }
    return specs
  }

  command(name: string): CommandSpec | undefined {
    return theTable().byName(name)
  }

  /** As when the upstream turns out to have others. */
  forgetCommands(): void {
    this.open.clear()
  }
}

/** A client of the local answers alone: looks up, checks as the client connection does, and answers in process. */
export class LocalClient {
  readonly endpoint: Endpoint
  readonly session: Session
  readonly server: FakeServer
  closed = false
  inTransaction = false
  private readonly reply = new ReplyWriter()

  constructor(server: FakeServer, authenticator: Authenticator, id = server.everybody.length + 1) {
    this.server = server
    this.endpoint = { address: `127.0.0.1:${40_000 + id}`, localAddress: '127.0.0.1:6380' }
    this.session = new Session(id, server.time, this.endpoint, authenticator)
    this.session.lastActive = performance.now()
    server.everybody.push(this.session)
  }

  /** The reply as latin1 text, '' for none. */
  ask(...words: readonly (string | Buffer)[]): string {
    const answer = this.run(...words)
    if (Array.isArray(answer)) throw new Error(`${words.join(' ')} is forwarded`)
    return answer as string
  }

  /** The reply, or the arguments that go to the upstream. */
  run(...words: readonly (string | Buffer)[]): string | readonly Buffer[] {
    const { session, reply } = this
    const args = argsOf(...words)
    const before = session.replyMode
    // SKIP is for one request.
    if (before === 'skip') session.replyMode = 'on'
    reply.protocol = session.protocol
    const request = this.execute(args)
    if (request !== undefined) return request
    const bytes = reply.take().toString('latin1')
    // What turns replies on again is answered.
    if (before === 'off' && session.replyMode !== 'on') return ''
    if (before === 'skip' && !(args.length === 3 && args.is(1, 'REPLY') && args.is(2, 'ON'))) return ''
    return bytes
  }

  private execute(args: ArgView): readonly Buffer[] | undefined {
    const found = lookUp(args)
    if (typeof found === 'string') this.reply.error(found)
    else if (this.session.tenant === undefined && (found.flags & FLAG.NO_AUTH) === 0)
      this.reply.error(ERRORS.NOAUTH.reply)
    else {
      const quirk = LOCAL[found.name]
      const call = this.call(found, args)
      if (quirk.answer === undefined) return quirk.forward?.(call)
      quirk.answer(call)
    }
    return undefined
  }

  private call(spec: CommandSpec, args: ArgView): LocalCall {
    return {
      session: this.session,
      spec,
      args,
      reply: this.reply,
      server: this.server,
      inTransaction: this.inTransaction,
      db: this.session.db,
      prefix: this.session.prefix,
      close: () => {
        this.closed = true
      },
    }
  }
}

/** The spec, or the error of one that cannot be run. */
function lookUp(args: ArgView): CommandSpec | string {
  let spec = theTable().byName(args.text(0))
  if (spec === undefined) return unknownCommand(args)
  if (spec.subcommands !== undefined && args.length > 1) {
    const sub = spec.subcommands.get(args.text(1).toLowerCase())
    if (sub === undefined || LOCAL[sub.name] === undefined) return unknownSubcommand(args, spec)
    spec = sub
  }
  if (spec.arity < 0 ? args.length < -spec.arity : args.length !== spec.arity) return wrongArity(spec)
  return LOCAL[spec.name] === undefined ? unknownCommand(args) : spec
}
