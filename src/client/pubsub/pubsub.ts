import { randomBytes } from 'node:crypto'
import type { CommandSpec } from '../../commands/spec.ts'
import type { Reply } from '../../resp/types.ts'
import type { Tenant } from '../../session/tenant.ts'
import { Caller } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import type { ClientEnv } from '../env.ts'
import type { Stats } from '../stats.ts'
import { Elsewhere } from './elsewhere.ts'
import { EventSettings } from './event-settings.ts'
import { TenantTopics, type TopicsHost } from './tenant-topics.ts'

/** All subscriptions of this process, by upstream and tenant. */
export class PubSub implements TopicsHost {
  readonly settings = new EventSettings()
  private readonly env: ClientEnv
  /** By the tenant's prefix, which is one tenant's at a node. */
  private readonly byNode = new Map<Node, Map<string, TenantTopics>>()
  /** A node that was replaced takes its own along. */
  private readonly others = new WeakMap<Node, Elsewhere>()
  private readonly id = randomBytes(6).toString('hex')

  constructor(env: ClientEnv) {
    this.env = env
  }

  find(node: Node, tenant: Tenant): TenantTopics | undefined {
    return this.byNode.get(node)?.get(tenant.prefix)
  }

  of(node: Node, tenant: Tenant): TenantTopics {
    let tenants = this.byNode.get(node)
    if (tenants === undefined) this.byNode.set(node, (tenants = new Map()))
    let topics = tenants.get(tenant.prefix)
    if (topics === undefined) tenants.set(tenant.prefix, (topics = new TenantTopics(node, tenant, this)))
    return topics
  }

  emptied(topics: TenantTopics): void {
    const { node } = topics
    const tenants = this.byNode.get(node)
    const prefix = topics.prefix.toString('latin1')
    if (tenants?.get(prefix) !== topics) return
    tenants.delete(prefix)
    if (tenants.size > 0) return
    this.byNode.delete(node)
    this.others.get(node)?.listens(false)
  }

  filled(topics: TenantTopics): void {
    this.elsewhere(topics.node).listens(true)
  }

  /** The subscribers behind other processes at this node. */
  elsewhere(node: Node): Elsewhere {
    let elsewhere = this.others.get(node)
    if (elsewhere !== undefined) return elsewhere
    const caller = new Caller(() => node, -1)
    const publish = this.env.table.byName('publish') as CommandSpec
    const numsub = this.env.table.byName('pubsub|numsub') as CommandSpec
    elsewhere = new Elsewhere(node.subscriber, {
      id: this.id,
      topicsOf: (prefix) => this.byNode.get(node)?.get(prefix),
      publish: (channel, message) => {
        // If it is lost, the next question comes in a second.
        caller
          .call(publish, ['PUBLISH', channel, Buffer.from(message, 'latin1')], () => undefined)
          .catch(() => undefined)
      },
      count: (channel, then) => {
        const read = ({ items }: Reply) => Number(items?.[1]?.text?.toString('latin1') ?? 0)
        caller.call(numsub, ['PUBSUB', 'NUMSUB', channel], read).then(then, () => undefined)
      },
      now: () => this.env.clock.now,
    })
    this.others.set(node, elsewhere)
    return elsewhere
  }

  stats(tenant: Tenant): Stats {
    return this.env.stats(tenant)
  }

  fault(error: unknown): void {
    this.env.fault(error)
  }
}
