import { OWN_CHANNELS } from '../../keyspace/channels.ts'
import type { MessageFrame } from '../../resp/message.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { Subscriber } from '../../upstream/subscriber.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import type { Stats } from '../stats.ts'
import { Audience, type AudienceHome } from './audience.ts'
import type { EventSettings } from './event-settings.ts'
import { Feed, type FeedHome } from './feed.ts'

/** What the topics of a tenant ask of those who keep them. */
export interface TopicsHost {
  readonly settings: EventSettings
  stats(tenant: Tenant): Stats
  indexOf(tenant: Tenant): number
  /** It has topics. */
  filled(topics: TenantTopics): void
  /** It is empty: nothing of it needs to be kept. */
  emptied(topics: TenantTopics): void
  /** A bug, or a lying upstream. */
  fault(error: unknown): void
}

/** Where a tenant's topics are at the time of asking: a reload may give it another upstream. */
export interface TopicPlace {
  node(): Node
  /** The one of the tenant. */
  subscriber(): Subscriber
  /** Made anew where there were none. */
  topics(): TenantTopics
}

/**
 * All that clients of one tenant subscribe to in this process, by name as the tenant knows it. Channels are one space
 * for all databases, as in Redis, so the prefix is the tenant's own, not a database's.
 * Limit: `tenants.<t>.subscriptions` for client times name, requests under way included.
 */
export class TenantTopics implements AudienceHome, FeedHome {
  readonly node: Node
  readonly subscriber: Subscriber
  readonly tenant: string
  readonly prefix: Buffer
  readonly databases: number | undefined
  private readonly settings: EventSettings
  readonly feed: Feed
  /** The same for requests under way. */
  claimed = 0
  private readonly host: TopicsHost
  private readonly stats: Stats
  private readonly audiences: Readonly<Record<TopicKind, Map<string, Audience>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  }

  constructor(node: Node, tenant: Tenant, host: TopicsHost) {
    this.node = node
    this.subscriber = node.subscribers.of(host.indexOf(tenant))
    this.tenant = tenant.name
    this.prefix = Buffer.from(tenant.prefix, 'latin1')
    this.databases = tenant.databases
    this.settings = host.settings
    this.host = host
    this.stats = host.stats(tenant)
    this.feed = new Feed(this)
  }

  /** Clients times names. */
  get seats(): number {
    return this.stats.subscriptions
  }

  /** A client has come into an audience (1), or gone (-1). */
  seated(by: 1 | -1): void {
    this.stats.subscriptions += by
  }

  find(kind: TopicKind, name: Buffer): Audience | undefined {
    return this.audiences[kind].get(name.toString('latin1'))
  }

  /** The audience of this name, engaged; whoever asks puts somebody in, or takes the claim back and calls left(). */
  claim(kind: TopicKind, name: Buffer): Audience {
    const key = name.toString('latin1')
    if (this.empty) this.host.filled(this)
    let audience = this.audiences[kind].get(key)
    if (audience === undefined) this.audiences[kind].set(key, (audience = new Audience(this, kind, name)))
    audience.claims++
    this.claimed++
    audience.enter()
    return audience
  }

  unclaim(audience: Audience): void {
    audience.claims--
    this.claimed--
    audience.left()
  }

  forget(audience: Audience): void {
    this.audiences[audience.kind].delete(audience.name.toString('latin1'))
    this.dropIfEmpty()
  }

  dropIfEmpty(): void {
    if (this.empty && !this.feed.engaged && !this.feed.leaving) this.host.emptied(this)
  }

  private get empty(): boolean {
    const { channel, pattern, shard } = this.audiences
    return channel.size + pattern.size + shard.size === 0
  }

  formsOf(event: string): number {
    return this.settings.formsOf(this.tenant, this.node, event)
  }

  fed(): void {
    this.settings.checkUpstream(this.tenant, this.node)
  }

  all(kind: TopicKind): Iterable<Audience> {
    return this.audiences[kind].values()
  }

  get hasPatterns(): boolean {
    return this.audiences.pattern.size > 0
  }

  get patterns(): Iterable<Audience> {
    return this.audiences.pattern.values()
  }

  /** Names that somebody is subscribed to. */
  count(kind: TopicKind): number {
    let count = 0
    for (const audience of this.audiences[kind].values()) if (audience.sinks.size > 0) count++
    return count
  }

  /** Is the channel of this message, which came for a pattern of the tenant's, one of the tenant's? */
  owns(message: MessageFrame): boolean {
    const { prefix } = this
    const from = message.starts[2]
    const to = message.ends[2]
    // What Keyward tells itself is nobody's, not even where every name passes unchanged.
    if (prefix.length === 0) return message.buf.toString('latin1', from, from + OWN_CHANNELS.length) !== OWN_CHANNELS
    if (to - from >= prefix.length && message.buf.compare(prefix, 0, prefix.length, from, from + prefix.length) === 0)
      return true
    this.host.fault(new Error('a message for a pattern came from a channel outside the prefix of its tenant'))
    return false
  }
}
