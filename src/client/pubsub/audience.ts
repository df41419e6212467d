import { asPush, channelMatches, channelMessage, patternMessage } from '../../keyspace/channels.ts'
import { isNotification, mayMatchNotification } from '../../keyspace/notifications.ts'
import { rawPattern } from '../../keyspace/pattern.ts'
import type { MessageFrame } from '../../resp/message.ts'
import type { PushSink } from '../../session/push-sink.ts'
import type { Subscriber } from '../../upstream/subscriber.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import { Listened } from './listened.ts'

/** Bytes that a topic takes beside its name, and a client's being in its audience, about. */
export const TOPIC_BYTES = 500
export const SEAT_BYTES = 100

/** The topics of the tenant, as its audiences see them. */
export interface AudienceHome {
  readonly prefix: Buffer
  readonly subscriber: Subscriber
  /** Its notifications of the keyspace. */
  readonly feed: { need(): void; needNot(): void }
  /** Is the channel of this message of a pattern one of the tenant's? */
  owns(message: MessageFrame): boolean
  /** A client has come into an audience (1), or gone (-1). */
  seated(by: 1 | -1): void
  unclaim(audience: Audience): void
  forget(audience: Audience): void
}

/**
 * The clients of one tenant that subscribe to one channel, pattern or shard channel. However many they are, there is one
 * subscription upstream, and one frame per message and protocol, whose bytes all of them share.
 */
export class Audience extends Listened {
  /** As the tenant knows it. */
  readonly name: Buffer
  readonly home: AudienceHome
  readonly sinks = new Set<PushSink>()
  /** Requests under way that are about to put somebody in. */
  claims = 0
  /** Notifications of the keyspace may be for it. */
  readonly notified: boolean

  constructor(home: AudienceHome, kind: TopicKind, name: Buffer) {
    const raw = kind === 'pattern' ? rawPattern(home.prefix, name) : Buffer.concat([home.prefix, name])
    super(home.subscriber, kind, raw)
    this.home = home
    this.name = name
    this.notified = home.prefix.length > 0 && mayBeNotified(kind, name)
  }

  /** Somebody is in, or is about to come. */
  enter(): void {
    if (this.engaged) return
    this.engage()
    if (this.notified) this.home.feed.need()
  }

  /** Somebody has left. */
  left(): void {
    if (!this.engaged || this.sinks.size > 0 || this.claims > 0) return
    this.disengage()
    if (this.notified) this.home.feed.needNot()
  }

  protected gone(): void {
    this.home.forget(this)
  }

  message(message: MessageFrame): void {
    if (this.sinks.size === 0) return
    const prefix = this.home.prefix.length
    if (this.kind === 'pattern') {
      // To Redis the empty name matches the empty pattern only; behind a prefix it is not empty any more.
      const empty = prefix > 0 && message.ends[2] - message.starts[2] === prefix
      if (!this.home.owns(message) || (empty && this.name.length > 0)) return
      this.send(patternMessage(this.name, message, prefix))
    } else this.send(channelMessage(this.kind === 'shard' ? 'smessage' : 'message', message, prefix))
  }

  /** `frame`: in its RESP2 form. */
  send(frame: Buffer): void {
    let push: Buffer | undefined
    // A sink that is cut while it gets this leaves the set, which iteration allows.
    for (const sink of this.sinks) {
      if (sink.protocol === 2) sink.push(frame)
      else sink.push((push ??= asPush(frame)))
    }
  }

  /** How many of its clients get what is published to this channel of the tenant's. */
  reached(channel: Buffer): number {
    return this.kind !== 'pattern' || this.matches(channel) ? this.sinks.size : 0
  }

  /** Of a pattern. */
  matches(channel: Buffer): boolean {
    return channelMatches(this.name, channel)
  }
}

function mayBeNotified(kind: TopicKind, name: Buffer): boolean {
  if (kind === 'pattern') return mayMatchNotification(name)
  return kind === 'channel' && isNotification(name)
}
