import { frameOf } from '../../keyspace/channels.ts'
import { BY_EVENT, BY_KEY, FEED, keyeventChannel, keyspaceChannel, placeOf } from '../../keyspace/notifications.ts'
import { rawPattern } from '../../keyspace/pattern.ts'
import type { MessageFrame } from '../../resp/message.ts'
import type { Subscriber } from '../../upstream/subscriber.ts'
import type { Audience } from './audience.ts'
import { Listened } from './listened.ts'

/** The topics of the tenant, as its feed sees them. */
export interface FeedHome {
  readonly prefix: Buffer
  readonly databases: number | undefined
  readonly subscriber: Subscriber
  readonly patterns: Iterable<Audience>
  find(kind: 'channel', name: Buffer): Audience | undefined
  /** In which forms the tenant gets this event: BY_KEY, BY_EVENT, both or 0. */
  formsOf(event: string): number
  /** The feed has begun. */
  fed(): void
  /** The feed is over. */
  dropIfEmpty(): void
}

/**
 * The keyspace notifications of one tenant: one pattern upstream, on the names of its own keys, while some client of
 * it may get any of them. Each comes by key, and is made into the form by event, too, as Redis sends both.
 */
export class Feed extends Listened {
  private readonly home: FeedHome
  private needs = 0

  constructor(home: FeedHome) {
    super(home.subscriber, 'pattern', rawPattern(Buffer.concat([HEAD, home.prefix]), STAR))
    this.home = home
  }

  need(): void {
    if (this.needs++ === 0) this.engage()
  }

  needNot(): void {
    if (--this.needs === 0) this.disengage()
  }

  protected gone(): void {
    this.home.dropIfEmpty()
  }

  override acknowledged(): void {
    this.home.fed()
    super.acknowledged()
  }

  /** The topic itself may be had nevertheless; the operator is told. */
  override refused(): void {
    super.acknowledged()
  }

  message(message: MessageFrame): void {
    const { home } = this
    const raw = message.buf.subarray(message.starts[2] + HEAD.length, message.ends[2])
    const place = placeOf(raw, home.prefix, home.databases)
    if (place === undefined) return
    const event = message.text(3)
    const forms = home.formsOf(event)
    const { db, key } = place
    if ((forms & BY_KEY) !== 0) this.tell(keyspaceChannel(db, key), Buffer.from(event, 'latin1'))
    if ((forms & BY_EVENT) !== 0) this.tell(keyeventChannel(db, event), key)
  }

  /** As if it had been published to this channel of the tenant's. */
  private tell(channel: Buffer, payload: Buffer): void {
    const { home } = this
    const audience = home.find('channel', channel)
    if (audience !== undefined && audience.sinks.size > 0) audience.send(frameOf([MESSAGE, channel, payload]))
    for (const one of home.patterns) {
      if (one.notified && one.sinks.size > 0 && one.matches(channel))
        one.send(frameOf([PMESSAGE, one.name, channel, payload]))
    }
  }
}

const HEAD = Buffer.from(FEED)
const STAR = Buffer.from('*')
const MESSAGE = Buffer.from('message')
const PMESSAGE = Buffer.from('pmessage')
