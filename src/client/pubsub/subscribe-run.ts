import { ArgView } from '../../commands/arg-view.ts'
import type { Errand, Exchange } from '../../commands/exchange.ts'
import { unknownCommand } from '../../commands/refusal.ts'
import type { ErrorCode } from '../../errors.ts'
import { LONGEST_PATTERN, OWN_CHANNELS } from '../../keyspace/channels.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Fence } from '../../upstream/subscriber-commands.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { Acks } from './acks.ts'
import type { Audience } from './audience.ts'
import type { Listened, Waiter } from './listened.ts'
import type { Run, Subscriptions } from './subscriptions.ts'
import type { TenantTopics, TopicPlace } from './tenant-topics.ts'

/** Longest name. A longer one would have to pass a server's limit of bulk strings, which closes the connection of all. */
const NAME_BYTES = 1024 * 1024

/**
 * SUBSCRIBE, PSUBSCRIBE or SSUBSCRIBE of one client. Its acknowledgements are its reply, written when the server has
 * acknowledged all names, and when all that was published before its turn, for others who have them already, has come and
 * passed. In the same step the client becomes part of the audiences, so no message comes before the acknowledgement.
 */
export class SubscribeRun implements Errand, Run, Waiter {
  private readonly x: Exchange
  private readonly client: DispatchClient
  private readonly subscriptions: Subscriptions
  private readonly kind: TopicKind
  /** The command's own name first. */
  private readonly args: readonly Buffer[]
  private readonly place: TopicPlace
  /** From prepare() on. */
  private topics: TenantTopics | undefined = undefined
  /** One for each name, claimed; undefined before prepare(), and when that failed. */
  private audiences: Audience[] | undefined = undefined
  private failure: ErrorCode | undefined = undefined
  private running = false
  private waitsFor: Listened[] = []
  /** What it waits for: topics, and its fence. */
  private left = 0
  private fence: Fence | undefined = undefined
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(
    x: Exchange,
    client: DispatchClient,
    subscriptions: Subscriptions,
    place: TopicPlace,
    kind: TopicKind,
    args: readonly Buffer[],
  ) {
    this.x = x
    this.client = client
    this.subscriptions = subscriptions
    this.place = place
    this.kind = kind
    this.args = args
  }

  prepare(): void {
    if (this.topics !== undefined) return
    const { args, kind } = this
    // Not before: what nobody needs yet may be dropped.
    const topics = this.place.topics()
    this.topics = topics
    let added = 0
    for (let i = 1; i < args.length; i++) {
      if (args[i].length > (kind === 'pattern' ? LONGEST_PATTERN : NAME_BYTES)) this.failure = 'SUBSCRIPTIONLIMIT'
      if (isOwn(topics, kind, args[i])) this.failure = 'NOCHANNELS'
      const audience = topics.find(kind, args[i])
      if (audience === undefined || !this.subscriptions.has(audience)) added++
    }
    const { subscriptions } = this.client.session.tenant as Tenant
    if (added > 0 && topics.seats + topics.claimed + added > subscriptions) this.failure = 'SUBSCRIPTIONLIMIT'
    if (this.failure !== undefined) return
    this.audiences = this.claim(topics)
    this.raiseFence(topics)
  }

  private raiseFence({ subscriber }: TenantTopics): void {
    const fence = () => {
      if (this.fence === fence) this.done()
    }
    this.fence = fence
    if (subscriber.fence(fence)) this.left++
    else this.fence = undefined
  }

  private claim(topics: TenantTopics): Audience[] {
    const claimed: Audience[] = []
    for (let i = 1; i < this.args.length; i++) claimed.push(topics.claim(this.kind, this.args[i]))
    return claimed
  }

  begin(): void {
    this.running = true
    this.prepare()
    this.subscriptions.firstBegan()
    if (this.failure !== undefined) this.fail(this.failure)
    else this.wait()
  }

  private wait(): void {
    const topics = this.topics as TenantTopics
    for (const audience of this.audiences ?? []) {
      this.waitFor(audience)
      if (audience.notified) this.waitFor(topics.feed)
    }
    if (this.left === 0) {
      this.commit()
      return
    }
    const { hold, timeouts } = topics.node.options
    const patience = topics.node.usable ? Math.max(hold.time, timeouts.request) : hold.time
    this.timer ??= setTimeout(() => this.fail('UPSTREAMDOWN'), patience)
  }

  private waitFor(listened: Listened): void {
    if (listened.active || !listened.await(this)) return
    this.left++
    this.waitsFor.push(listened)
  }

  done(): void {
    if (--this.left === 0 && this.running) this.commit()
  }

  private commit(): void {
    const { subscriptions, client, x } = this
    const acks = new Acks(client.protocol, x.spec.name)
    for (const audience of this.audiences ?? []) {
      subscriptions.join(audience)
      acks.add(audience.name, subscriptions.counted(this.kind))
    }
    this.release()
    subscriptions.ended(this)
    // CLIENT REPLY OFF and SKIP do not hold acknowledgements back, in Redis neither.
    x.mute = false
    client.finish(x, acks.take())
  }

  refused(error: string): void {
    if (error.startsWith('NOPERM')) {
      this.fail('NOCHANNELS')
      return
    }
    this.release()
    this.subscriptions.ended(this)
    const text = unknownCommand(ArgView.of(this.args)).replace(/[\r\n]/g, ' ')
    this.client.finish(this.x, Buffer.from(`-${text}\r\n`, 'latin1'))
  }

  private fail(code: ErrorCode): void {
    this.release()
    this.subscriptions.ended(this)
    this.client.failApart(this.x, code)
  }

  release(): void {
    clearTimeout(this.timer)
    this.forsake()
    const { audiences } = this
    this.audiences = undefined
    for (const audience of audiences ?? []) audience.home.unclaim(audience)
    this.topics?.dropIfEmpty()
  }

  private forsake(): void {
    for (const listened of this.waitsFor) listened.forsake(this)
    this.waitsFor = []
    this.fence = undefined
    this.left = 0
  }

  moveTo(topics: TenantTopics): void {
    const before = this.audiences
    if (before === undefined) return
    this.topics = topics
    this.forsake()
    this.audiences = this.claim(topics)
    this.raiseFence(topics)
    for (const audience of before) audience.home.unclaim(audience)
    if (this.running) this.wait()
  }

  cancel(): void {
    this.release()
  }
}

/**
 * Keyward's own: on the connection where all that this process listens to is subscribed, a client that left such a channel
 * would take it from Keyward. Behind a prefix no name is one.
 */
function isOwn({ prefix }: TenantTopics, kind: TopicKind, name: Buffer): boolean {
  return prefix.length === 0 && kind !== 'pattern' && name.toString('latin1', 0, OWN_CHANNELS.length) === OWN_CHANNELS
}
