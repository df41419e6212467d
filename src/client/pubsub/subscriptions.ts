import type { PushSink } from '../../session/push-sink.ts'
import type { Session, TopicCounts } from '../../session/session.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import { type Audience, SEAT_BYTES, TOPIC_BYTES } from './audience.ts'
import type { TenantTopics } from './tenant-topics.ts'

/** A request about subscriptions that is under way. */
export interface Run {
  /** Says upstream what it will want, before its turn. */
  prepare(): void
  /** Gives back what it holds; it will not go on. */
  release(): void
  /** The tenant's topics are those now: at another upstream. */
  moveTo(topics: TenantTopics): void
}

/**
 * What one client is subscribed to, and its requests about that which are under way, in order. While there are any, nothing
 * else of this client is looked at: in RESP2, what a subscribed client may do depends on how they end.
 */
export class Subscriptions implements TopicCounts {
  channels = 0
  patterns = 0
  shards = 0
  /** Bytes that they take, about; charged to the client. */
  bytes = 0
  private audiences = new Set<Audience>()
  private readonly runs = new Set<Run>()
  private begun = false
  private readonly session: Session
  private readonly sink: PushSink

  constructor(session: Session, sink: PushSink) {
    this.session = session
    this.sink = sink
    session.topics = this
  }

  get underWay(): boolean {
    return this.runs.size > 0
  }

  /** A request was read. It may prepare at once if one before it is at its turn: all before it are of its kind, then. */
  started(run: Run): void {
    this.runs.add(run)
    this.count()
    if (this.begun) run.prepare()
  }

  /**
   * It is the turn of the first one: those behind it may say upstream what they will want, so that a pipeline of
   * thousands takes one round trip.
   */
  firstBegan(): void {
    if (this.begun) return
    this.begun = true
    for (const run of this.runs) run.prepare()
  }

  ended(run: Run): void {
    this.runs.delete(run)
    if (this.runs.size === 0) this.begun = false
    this.count()
  }

  has(audience: Audience): boolean {
    return this.audiences.has(audience)
  }

  /** From now on messages come. */
  join(audience: Audience): void {
    if (this.audiences.has(audience)) return
    this.audiences.add(audience)
    this.sit(audience)
    this.change(audience.kind, 1)
    this.bytes += bytesOf(audience)
    this.count()
  }

  /** From now on no message comes. */
  part(audience: Audience): void {
    if (!this.audiences.delete(audience)) return
    this.rise(audience)
    this.change(audience.kind, -1)
    this.bytes -= bytesOf(audience)
    this.count()
  }

  of(kind: TopicKind): Audience[] {
    return [...this.audiences].filter((audience) => audience.kind === kind)
  }

  /** What the acknowledgement of a change of this kind counts. */
  counted(kind: TopicKind): number {
    return kind === 'shard' ? this.shards : this.channels + this.patterns
  }

  /** RESET, another tenant, or the client has left: without a word. */
  drop(): void {
    for (const run of [...this.runs]) {
      run.release()
      this.ended(run)
    }
    for (const audience of [...this.audiences]) this.part(audience)
  }

  /** The tenant's upstream is another one now. Nothing is told to the client; what is published meanwhile is lost. */
  moveTo(topics: TenantTopics): void {
    const before = this.audiences
    this.audiences = new Set()
    for (const old of before) {
      const audience = topics.claim(old.kind, old.name)
      this.audiences.add(audience)
      this.sit(audience)
      topics.unclaim(audience)
      this.rise(old)
    }
    for (const run of [...this.runs]) run.moveTo(topics)
    topics.dropIfEmpty()
  }

  private sit(audience: Audience): void {
    audience.sinks.add(this.sink)
    audience.home.seated(1)
  }

  private rise(audience: Audience): void {
    audience.sinks.delete(this.sink)
    audience.home.seated(-1)
    audience.left()
  }

  private change(kind: TopicKind, by: 1 | -1): void {
    if (kind === 'channel') this.channels += by
    else if (kind === 'pattern') this.patterns += by
    else this.shards += by
  }

  private count(): void {
    this.session.subscribed = this.audiences.size + this.runs.size
  }
}

function bytesOf(audience: Audience): number {
  return SEAT_BYTES + TOPIC_BYTES + audience.name.length
}
