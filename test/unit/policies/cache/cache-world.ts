import { ArgView } from '../../../../src/commands/arg-view.ts'
import type { CommandSpec } from '../../../../src/commands/spec.ts'
import { Clock } from '../../../../src/lib/clock.ts'
import { Cache } from '../../../../src/policies/cache/cache.ts'
import type { CacheSource } from '../../../../src/policies/cache/source.ts'
import { Chains } from '../../../../src/policies/chains.ts'
import type { ClientPolicy, PolicyEnv, PolicyRequest } from '../../../../src/policies/policy.ts'
import { Ruling } from '../../../../src/policies/policy.ts'
import { RequestReader } from '../../../../src/resp/request-reader.ts'
import { Session } from '../../../../src/session/session.ts'
import type { CacheOptions, CacheRule, Tenant } from '../../../../src/session/tenant.ts'
import { authenticator, tenant, theTable } from '../../../helpers/local-client.ts'
import { request } from '../../../helpers/raw-client.ts'

/** Goes when it is told to. */
export class FakeClock extends Clock {
  override now = 100_000
  override tick(): number {
    return this.now
  }
}

/** A fetch that the cache has asked for. */
export interface Fetched {
  readonly tenant: number
  readonly spec: CommandSpec
  /** Its arguments: keys are raw. */
  readonly args: readonly string[]
  readonly protocol: 2 | 3
  readonly done: (type: number, reply: Buffer | undefined, late: boolean) => void
}

/** An upstream whose answers the test gives. */
export class FakeSource implements CacheSource {
  readonly feed = { heardAt: 100_000, epoch: 1 }
  down = false
  evicts = false
  /** Not answered yet, in their order. */
  fetches: Fetched[] = []

  fetch(index: number, spec: CommandSpec, bytes: Buffer, protocol: 2 | 3, done: Fetched['done']): void {
    this.fetches.push({ tenant: index, spec, args: argsOf(bytes).args, protocol, done })
  }

  /** The oldest one is answered; undefined: it fails, because it is `late` or not. */
  answer(reply: string | undefined, late = false): Fetched {
    const fetched = this.fetches.shift()
    if (fetched === undefined) throw new Error('nothing was fetched')
    const bytes = reply === undefined ? undefined : Buffer.from(reply, 'latin1')
    fetched.done(bytes?.[0] ?? 0, bytes, late)
    return fetched
  }

  get asked(): string[] {
    return this.fetches.map(({ args }) => args.join(' '))
  }
}

/** What became of a request. */
export interface Asked {
  readonly verdict: string
  /** `reply`: with these bytes. */
  readonly answer: string | undefined
  readonly ruling: Ruling
}

export class FakeClient {
  readonly session: Session
  readonly chain: ClientPolicy
  idle = true
  inTransaction = false

  constructor(session: Session, chain: ClientPolicy) {
    this.session = session
    this.chain = chain
  }

  ask(...words: readonly string[]): Asked {
    const { buf, offsets, args } = argsOf(request(...words))
    const spec = specOf(args)
    const ruling = new Ruling()
    const asked: PolicyRequest = {
      buf,
      start: 0,
      end: buf.length,
      argc: args.length,
      args: offsets,
      view: () => new ArgView().set(buf, args.length, offsets),
      idle: this.idle && !this.inTransaction,
      inTransaction: this.inTransaction,
    }
    const verdict = this.chain.onRequest(spec, asked, ruling)
    return { verdict, answer: answerOf(ruling)?.toString('latin1'), ruling }
  }

  /** The reply to a request that went upstream with this ruling. */
  replied({ ruling }: Asked, reply: string): void {
    const bytes = Buffer.from(`before${reply}behind`, 'latin1')
    ruling.effects?.fill?.replied(reply.charCodeAt(0), bytes, 6, bytes.length - 6)
    bytes.fill(0)
    ruling.meter?.replied(reply.length)
  }

  /** A write from its request to its reply. */
  write(...words: readonly string[]): void {
    this.replied(this.ask(...words), '+OK\r\n')
  }
}

/** What the client is sent. */
function answerOf({ answer, answerStart, answerEnd }: Ruling): Buffer | undefined {
  return answerEnd > 0 ? answer?.subarray(answerStart, answerEnd) : answer
}

export class World {
  readonly clock = new FakeClock()
  readonly sources = new Map<string, FakeSource>()
  readonly cache: Cache
  private readonly chains: Chains
  private readonly tenants = new Map<string, Tenant>()

  constructor(...tenants: readonly Tenant[]) {
    const env: PolicyEnv = {
      table: theTable(),
      clock: this.clock,
      cacheSource: (upstream) => this.sources.get(upstream),
      leaseStore: () => undefined,
      indexOf: ({ name }) => name.length,
      fault: (error) => {
        throw error
      },
    }
    this.cache = new Cache(env)
    this.chains = new Chains([this.cache], env)
    this.load(...tenants)
  }

  /** Another configuration; clients have to enter anew. */
  load(...tenants: readonly Tenant[]): void {
    this.tenants.clear()
    for (const one of tenants) {
      this.tenants.set(one.name, one)
      if (!this.sources.has(one.upstream)) this.sources.set(one.upstream, new FakeSource())
    }
    this.chains.renew(tenants)
  }

  get source(): FakeSource {
    return this.sources.get('main') as FakeSource
  }

  enter(name = 'acme', protocol: 2 | 3 = 2): FakeClient {
    const login = { tenant: this.tenants.get(name) as Tenant, user: 'default' }
    const session = new Session(1, 0, { address: '', localAddress: '' }, authenticator({}, login))
    session.protocol = protocol
    const chain = this.chains.enter(session)
    if (chain === undefined) throw new Error('no cache')
    return new FakeClient(session, chain)
  }

  /** Time passes, in which writes of others are heard of. */
  pass(milliseconds: number): void {
    this.clock.now += milliseconds
    for (const { feed } of this.sources.values()) feed.heardAt = this.clock.now
  }

  /** A key is fetched, and kept as far as the cache likes. */
  store(client: FakeClient, reply: string, ttl: number, ...words: readonly string[]): void {
    const { verdict } = client.ask(...words)
    if (verdict !== 'wait') throw new Error(`it does not wait: ${verdict}`)
    this.source.answer(`:${ttl}\r\n`)
    this.source.answer(reply)
  }

  rule(index = 0, name = 'acme') {
    const view = this.cache.viewOf(name)
    if (view === undefined) throw new Error('no cache')
    return view.rules[index]
  }
}

export function rule(keys: string, more: Partial<CacheRule> = {}): CacheRule {
  return { keys, maxAge: 60_000, negative: 0, jitter: 0, ...more }
}

export function caching(
  rules: readonly CacheRule[] = [rule('*')],
  more: Partial<CacheOptions> = {},
  other: Partial<Tenant> = {},
): Tenant {
  const cache = { memory: 1 << 20, rules, maxStaleness: 1000, staleWhileDown: 0, ...LIMITS, ...more }
  return tenant('acme', { cache, ...other })
}

/** As the file has them by default. */
const LIMITS = { maxFetches: 4096, maxFollowers: 10_000 }

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text, 'latin1')}\r\n${text}\r\n`
}

function specOf([name, sub]: readonly string[]): CommandSpec {
  const spec = theTable().byName(`${name}|${sub}`) ?? theTable().byName(name)
  if (spec === undefined) throw new Error(`no command ${name}`)
  return spec
}

function argsOf(bytes: Buffer): { buf: Buffer; offsets: Int32Array; args: string[] } {
  const read: { buf: Buffer; offsets: Int32Array; args: string[] }[] = []
  const reader = new RequestReader({ bulk: 1 << 20, buffer: 1 << 20 })
  reader.authenticated = true
  reader.feed(bytes, 0, bytes.length, {
    onRequest(buf, _start, _end, argc, args) {
      const offsets = args.slice(0, 2 * argc)
      const words = Array.from({ length: argc }, (_, i) => buf.toString('latin1', offsets[2 * i], offsets[2 * i + 1]))
      read.push({ buf: Buffer.from(buf), offsets, args: words })
    },
    onProtocolError: () => undefined,
    onRequestLimit: () => undefined,
  })
  return read[0]
}
