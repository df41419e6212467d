import { Subscriber, type SubscriberHost } from './subscriber.ts'

/**
 * The subscribers of one node, by tenant: each tenant has a connection for its subscriptions, so that a flood of messages of
 * one, for which Redis cuts the connection, costs the others nothing. Limit: `subscribers`; more tenants than that share.
 */
export class Subscribers {
  private readonly host: SubscriberHost
  private readonly most: number
  private readonly slots: Subscriber[] = []

  constructor(host: SubscriberHost, most: number) {
    this.host = host
    this.most = most
  }

  /** That of a tenant, or, with -1, the one that has Keyward's own channel beside those of a tenant. */
  of(tenantIndex: number): Subscriber {
    const at = Math.max(tenantIndex, 0) % this.most
    let subscriber = this.slots[at]
    if (subscriber === undefined) this.slots[at] = subscriber = new Subscriber(this.host)
    return subscriber
  }

  private *all(): Iterable<Subscriber> {
    for (const subscriber of this.slots) if (subscriber !== undefined) yield subscriber
  }

  /** Topics on all of them. */
  get size(): number {
    let size = 0
    for (const subscriber of this.all()) size += subscriber.size
    return size
  }

  /** Called ten times a second. `now`: clock time. */
  tick(now: number): void {
    for (const subscriber of this.all()) subscriber.tick(now)
  }

  /** The server is another one now. */
  move(): void {
    for (const subscriber of this.all()) subscriber.move()
  }

  stop(): void {
    for (const subscriber of this.all()) subscriber.stop()
  }

  view() {
    const sum = { connections: 0, channels: 0, patterns: 0, shards: 0, reconnects: 0, messages: 0 }
    for (const subscriber of this.all()) {
      const one = subscriber.view()
      sum.connections += one.connections
      sum.channels += one.channels
      sum.patterns += one.patterns
      sum.shards += one.shards
      sum.reconnects += one.reconnects
      sum.messages += one.messages
    }
    return sum
  }
}
