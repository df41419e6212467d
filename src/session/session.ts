import { channelPrefix, keyPrefix, type Tenant } from './tenant.ts'
import type { Tracking } from './tracking.ts'

/** What AUTH and HELLO need to log somebody in; policies/auth.ts implements it. */
export interface Authenticator {
  /** The tenant and user of this name and password, or undefined. `user` may be "tenant/user". */
  login(user: string, password: Buffer): Login | undefined
  /** Who a client is before any AUTH (a listener with `login: optional`), if anybody. */
  readonly anonymous: Login | undefined
}

/** Both ends of a connection, as "host:port" or "/path:0". */
export interface Endpoint {
  readonly address: string
  readonly localAddress: string
}

export interface Login {
  readonly tenant: Tenant
  readonly user: string
}

/** What CLIENT REPLY said: `skip` = drop the reply of the next request; `skipping` = of the present one. */
export type ReplyMode = 'on' | 'off' | 'skip'

/** What a client is subscribed to. */
export interface TopicCounts {
  readonly channels: number
  readonly patterns: number
  readonly shards: number
}

/**
 * Who is talking: all that a client sees as the state of its connection. Nothing of it lives upstream,
 * so a request may go out on any upstream connection.
 */
export class Session {
  /** CLIENT ID: unique in this process. */
  readonly id: number
  /** Milliseconds since the epoch. */
  readonly since: number
  private readonly endpoint: Endpoint
  authenticator: Authenticator
  tenant: Tenant | undefined
  user = 'default'
  protocol: 2 | 3 = 2
  db = 0
  /** In front of every key of the current database, '' before login. */
  prefix: Buffer = NO_PREFIX
  /** In front of every channel: databases share channels. */
  channelPrefix: Buffer = NO_PREFIX
  name = ''
  libName = ''
  libVersion = ''
  replyMode: ReplyMode = 'on'
  /** Channels, patterns and shard channels that it is subscribed to, and requests about them that are under way. */
  subscribed = 0
  topics: TopicCounts = NO_TOPICS
  /** Gets a line for every request of its tenant (MONITOR). */
  monitoring = false
  noEvict = false
  noTouch = false
  /** CLIENT TRACKING; undefined: off. */
  tracking: Tracking | undefined = undefined
  /** Lower-case name of the last command, for CLIENT LIST. */
  lastCommand = 'NULL'
  /** Process clock, milliseconds. */
  lastActive = 0

  constructor(id: number, now: number, endpoint: Endpoint, authenticator: Authenticator) {
    this.id = id
    this.since = now
    this.endpoint = endpoint
    this.authenticator = authenticator
    this.enterAnonymously()
  }

  get address(): string {
    return this.endpoint.address
  }

  get localAddress(): string {
    return this.endpoint.localAddress
  }

  login(to: Login): void {
    if (to.tenant !== this.tenant) this.db = 0
    this.tenant = to.tenant
    this.user = to.user
    this.prefix = keyPrefix(to.tenant, this.db)
    this.channelPrefix = channelPrefix(to.tenant)
  }

  select(db: number): void {
    this.db = db
    if (this.tenant !== undefined) this.prefix = keyPrefix(this.tenant, db)
  }

  /** RESET: as if just connected. https://redis.io/commands/reset/ */
  reset(): void {
    this.protocol = 2
    this.name = ''
    this.replyMode = 'on'
    this.monitoring = false
    this.noEvict = false
    this.noTouch = false
    this.tracking = undefined
    this.enterAnonymously()
  }

  private enterAnonymously(): void {
    this.tenant = undefined
    this.user = 'default'
    this.db = 0
    this.prefix = NO_PREFIX
    this.channelPrefix = NO_PREFIX
    if (this.authenticator.anonymous !== undefined) this.login(this.authenticator.anonymous)
  }
}

const NO_PREFIX = Buffer.alloc(0)
const NO_TOPICS: TopicCounts = { channels: 0, patterns: 0, shards: 0 }
