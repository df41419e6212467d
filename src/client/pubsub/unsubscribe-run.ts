import type { Errand, Exchange } from '../../commands/exchange.ts'
import type { Fence } from '../../upstream/subscriber-commands.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { Acks } from './acks.ts'
import type { Audience } from './audience.ts'
import type { Waiter } from './listened.ts'
import type { Run, Subscriptions } from './subscriptions.ts'
import type { TopicPlace } from './tenant-topics.ts'

/**
 * UNSUBSCRIBE, PUNSUBSCRIBE or SUNSUBSCRIBE of one client, by name or altogether. What was published before its turn still
 * reaches the client; then it leaves the audiences. When it was the last one of a topic, its acknowledgement waits until
 * the server has forgotten the topic, so that a PUBLISH behind it is counted as the client must expect.
 */
export class UnsubscribeRun implements Errand, Run, Waiter {
  private readonly x: Exchange
  private readonly client: DispatchClient
  private readonly subscriptions: Subscriptions
  private readonly place: TopicPlace
  private readonly kind: TopicKind
  private readonly names: readonly Buffer[]
  private stage: 'waiting' | 'fence' | 'leaving' | 'over' = 'waiting'
  /** undefined: passed, or not needed. */
  private fence: Fence | undefined = undefined
  private prepared = false
  private reply: Buffer | undefined = undefined
  private waitsFor: Audience[] = []
  private left = 0
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
    this.names = args.slice(1)
  }

  prepare(): void {
    if (this.prepared) return
    this.prepared = true
    const fence = () => {
      if (this.fence !== fence) return
      this.fence = undefined
      if (this.stage === 'fence') this.leave()
    }
    this.fence = fence
    if (!this.place.subscriber().fence(fence)) this.fence = undefined
  }

  begin(): void {
    this.prepare()
    this.subscriptions.firstBegan()
    this.stage = 'fence'
    const { timeouts } = this.place.node().options
    if (this.fence === undefined) this.leave()
    // Nobody has to wait for a server that is silent to be rid of it.
    else this.timer = setTimeout(() => this.leave(), timeouts.request)
  }

  private leave(): void {
    if (this.stage !== 'fence') return
    clearTimeout(this.timer)
    this.stage = 'leaving'
    const { subscriptions, kind } = this
    const topics = this.place.topics()
    const names = this.names.length > 0 ? this.names : subscriptions.of(kind).map((audience) => audience.name)
    const acks = new Acks(this.client.protocol, this.x.spec.name)
    for (const name of names) {
      const audience = topics.find(kind, name)
      if (audience !== undefined && subscriptions.has(audience)) {
        subscriptions.part(audience)
        if (audience.leaving && audience.await(this)) {
          this.left++
          this.waitsFor.push(audience)
        }
      }
      acks.add(name, subscriptions.counted(kind))
    }
    if (names.length === 0) acks.add(undefined, subscriptions.counted(kind))
    this.reply = acks.take()
    topics.dropIfEmpty()
    if (this.left === 0) this.finish()
    else this.timer = setTimeout(() => this.finish(), topics.node.options.timeouts.request)
  }

  done(): void {
    if (--this.left === 0) this.finish()
  }

  /** Nobody refuses that; and what it wanted is done here in any case. */
  refused(): void {
    this.done()
  }

  private finish(): void {
    const { reply, x } = this
    if (reply === undefined || this.stage === 'over') return
    this.release()
    this.subscriptions.ended(this)
    x.mute = false
    this.client.finish(x, reply)
  }

  release(): void {
    this.stage = 'over'
    this.fence = undefined
    clearTimeout(this.timer)
    for (const audience of this.waitsFor) audience.forsake(this)
    this.waitsFor = []
  }

  /** Nothing that is on its way there will come any more. */
  moveTo(): void {
    if (this.stage === 'waiting') return
    if (this.stage === 'fence') this.leave()
    if (this.stage === 'leaving') this.finish()
  }

  cancel(): void {
    this.release()
  }
}
