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
  /** A node that was replaced takes its own along. */
  private readonly places = new WeakMap<Node, NodeTopics>()
  private readonly id = randomBytes(6).toString('hex')

  constructor(env: ClientEnv) {
    this.env = env
  }

  at(node: Node): NodeTopics {
    let place = this.places.get(node)
    if (place === undefined) this.places.set(node, (place = new NodeTopics(node, this.env, this.id)))
    return place
  }

  find(node: Node, tenant: Tenant): TenantTopics | undefined {
    return this.at(node).tenants.get(tenant.prefix)
  }

  of(node: Node, tenant: Tenant): TenantTopics {
    const { tenants } = this.at(node)
    let topics = tenants.get(tenant.prefix)
    if (topics === undefined) tenants.set(tenant.prefix, (topics = new TenantTopics(node, tenant, this)))
    return topics
  }

  emptied(topics: TenantTopics): void {
    this.at(topics.node).emptied(topics)
  }

  filled(topics: TenantTopics): void {
    this.at(topics.node).elsewhere().listens(true)
  }

  indexOf(tenant: Tenant): number {
    return this.env.indexOf(tenant)
  }

  stats(tenant: Tenant): Stats {
    return this.env.stats(tenant)
  }

  fault(error: unknown): void {
    this.env.fault(error)
  }
}

/** The same at one upstream. */
class NodeTopics {
  /** By the tenant's prefix, which is one tenant's at a node. */
  readonly tenants = new Map<string, TenantTopics>()
  private readonly node: Node
  private readonly env: ClientEnv
  private readonly id: string
  private others: Elsewhere | undefined = undefined

  constructor(node: Node, env: ClientEnv, id: string) {
    this.node = node
    this.env = env
    this.id = id
  }

  emptied(topics: TenantTopics): void {
    const prefix = topics.prefix.toString('latin1')
    if (this.tenants.get(prefix) !== topics) return
    this.tenants.delete(prefix)
    if (this.tenants.size === 0) this.others?.listens(false)
  }

  /** The subscribers behind other processes. */
  elsewhere(): Elsewhere {
    this.others ??= this.askOthers()
    return this.others
  }

  private askOthers(): Elsewhere {
    const { env, id, node, tenants } = this
    const caller = new Caller(() => node, -1)
    const publish = env.table.byName('publish') as CommandSpec
    const numsub = env.table.byName('pubsub|numsub') as CommandSpec
    // Whatever is lost of this, the next question comes in a second.
    return new Elsewhere(node.subscribers.of(-1), {
      id,
      topicsOf: (prefix) => tenants.get(prefix),
      publish: (channel, message) => {
        const args = ['PUBLISH', channel, Buffer.from(message, 'latin1')]
        caller.call(publish, args, () => undefined).catch(() => undefined)
      },
      count: (channel, then) => {
        const read = ({ items }: Reply) => Number(items?.[1]?.text?.toString('latin1') ?? 0)
        caller.call(numsub, ['PUBSUB', 'NUMSUB', channel], read).then(then, () => undefined)
      },
      now: () => env.clock.now,
    })
  }
}
