import type { MessageFrame } from '../../resp/message.ts'
import type { Subscriber } from '../../upstream/subscriber.ts'
import type { Topic, TopicKind, TopicOwner } from '../../upstream/topic.ts'

/** A request that goes on when the server has acknowledged, or forgotten, a topic. */
export interface Waiter {
  done(): void
  /** The server refuses the topic. `error`: its line, without the `-`. */
  refused(error: string): void
}

/**
 * Something to listen to upstream, for as long as somebody needs it: `engaged` while it does. Whoever waits, waits for the
 * acknowledgement while it is engaged, and for the server to forget it afterwards.
 */
export abstract class Listened implements TopicOwner {
  readonly kind: TopicKind
  /** As the server knows it. */
  readonly raw: Buffer
  engaged = false
  private readonly subscriber: Subscriber
  private topic: Topic | undefined = undefined
  private waiters: Set<Waiter> | undefined = undefined

  constructor(subscriber: Subscriber, kind: TopicKind, raw: Buffer) {
    this.subscriber = subscriber
    this.kind = kind
    this.raw = raw
  }

  abstract message(message: MessageFrame): void
  /** Neither engaged nor known upstream any more. */
  protected abstract gone(): void

  /** Subscribed to, as far as anybody may ask. */
  get active(): boolean {
    return this.engaged && this.topic?.state === 'active'
  }

  /** Still known upstream though nobody needs it any more. */
  get leaving(): boolean {
    return !this.engaged && this.topic !== undefined
  }

  /** 1 when the server counts our subscription among those of the topic. */
  get weight(): 0 | 1 {
    return this.topic?.counted === true ? 1 : 0
  }

  protected engage(): void {
    if (this.engaged) return
    this.engaged = true
    this.topic = this.subscriber.want(this.kind, this.raw, this)
    // Who waited for it to be forgotten has nothing to wait for.
    this.wake()
  }

  protected disengage(): void {
    if (!this.engaged) return
    this.engaged = false
    if (this.topic !== undefined) this.subscriber.unwant(this.topic)
  }

  /** False: `waiter` waits already. What the server refused before is asked for again: who waits is to have its answer of now. */
  await(waiter: Waiter): boolean {
    if (this.engaged && this.topic?.state === 'off') this.subscriber.want(this.kind, this.raw, this)
    this.waiters ??= new Set()
    if (this.waiters.has(waiter)) return false
    this.waiters.add(waiter)
    return true
  }

  forsake(waiter: Waiter): void {
    this.waiters?.delete(waiter)
  }

  private wake(): void {
    const { waiters } = this
    this.waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.done()
  }

  acknowledged(): void {
    if (this.engaged) this.wake()
  }

  refused(error: string): void {
    const { waiters } = this
    this.waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.refused(error)
  }

  released(): void {
    this.topic = undefined
    if (!this.engaged) this.gone()
    this.wake()
  }
}
