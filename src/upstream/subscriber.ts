import type { Socket } from 'node:net'
import { Backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Flushable, Turn } from '../lib/turn.ts'
import { MessageFrame } from '../resp/message.ts'
import { BadReply } from '../resp/reply-scanner.ts'
import { ARRAY, ERROR, STRING } from '../resp/type-bytes.ts'
import type { UpstreamOptions } from './options.ts'
import type { FactsLog, ServerFacts } from './server-facts.ts'
import { type Fence, SubscriberCommands } from './subscriber-commands.ts'
import { SubscriberConnection, type SubscriberConnectionHost } from './subscriber-connection.ts'
import { SubscriberLogin } from './subscriber-login.ts'
import { isPassing, isRefusal, SubscriberRetries } from './subscriber-retries.ts'
import { Topic, type TopicKind, type TopicOwner } from './topic.ts'

/** What a subscriber asks of its node. */
export interface SubscriberHost {
  readonly options: UpstreamOptions
  readonly turn: Turn
  readonly clock: Clock
  readonly log: FactsLog
  /** Opens a socket to the server of the day; undefined: nobody knows where it is. */
  connect(): Socket | undefined
  /** run_id of the server that the lanes talk to, '' until known. */
  readonly runId: string
  later(delay: number, fn: () => void): void
  readonly facts: ServerFacts
  fault(error: unknown): void
}

/** Milliseconds after which a connection counts as a good one. */
const STEADY = 1000
/** Milliseconds between two lines about a lost connection, or about errors that pass. */
const SAY_AGAIN = 10_000

/**
 * All subscriptions of a tenant in this process at one server, on one connection: however many clients want a topic, the server
 * sees one subscriber. It is dialled when the first topic is wanted, and closed when none has been for a while. When it
 * is lost, all that is wanted is subscribed again, and nobody but the log hears of it; what was published meanwhile is
 * lost, as with Redis itself.
 *
 * Limits: topics as their owners allow (`tenants.<t>.subscriptions`); 256 KiB of commands not acknowledged.
 */
export class Subscriber implements SubscriberConnectionHost, Flushable {
  dirty = false
  reconnects = 0
  /** Messages that came since the start. */
  messages = 0
  readonly clock: Clock
  private readonly host: SubscriberHost
  /** By name, one character per byte. One string for each message, not for each client that gets it. */
  private readonly topics: Readonly<Record<TopicKind, Map<string, Topic>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  }
  /** Those for which the server may have to be told something. */
  private readonly changed = new Set<Topic>()
  private readonly commands = new SubscriberCommands()
  private readonly retries = new SubscriberRetries()
  /** To be called by the answer to the next PING. */
  private fences: Fence[] = []
  private connection: SubscriberConnection | undefined = undefined
  private login: SubscriberLogin | undefined = undefined
  private readonly message = new MessageFrame()
  private readonly backoff = new Backoff(50, 2000)
  private waiting = false
  private wasReady = false
  private stopped = false
  /** Clock time since which no topic is wanted. */
  private idleSince = 0
  private saidLostAt = Number.NEGATIVE_INFINITY
  private saidErrorAt = Number.NEGATIVE_INFINITY

  constructor(host: SubscriberHost) {
    this.host = host
    this.clock = host.clock
  }

  /** The connection is there. */
  get up(): boolean {
    return this.connection?.ready === true
  }

  get size(): number {
    return this.topics.channel.size + this.topics.pattern.size + this.topics.shard.size
  }

  view() {
    const { channel, pattern, shard } = this.topics
    return {
      connections: Number(this.up),
      channels: channel.size,
      patterns: pattern.size,
      shards: shard.size,
      reconnects: this.reconnects,
      messages: this.messages,
    }
  }

  /**
   * The topic of this name is wanted, by the same owner as ever. Its owner hears when the server has it. Said again, a topic
   * that the server refused is asked for again at once.
   */
  want(kind: TopicKind, name: Buffer, owner: TopicOwner): Topic {
    const key = name.toString('latin1')
    let topic = this.topics[kind].get(key)
    if (topic === undefined) this.topics[kind].set(key, (topic = new Topic(kind, name, owner)))
    topic.wanted = true
    this.change(topic)
    return topic
  }

  /** Nobody wants it any more. Its owner hears when the server has forgotten it: at once, if the server is away. */
  unwant(topic: Topic): void {
    topic.wanted = false
    if (topic.state === 'off') this.forget(topic)
    else this.change(topic)
  }

  /**
   * `passed` is called when every message that was published before now has come. False: nothing is on its way, and it
   * is not called. Calls of one turn share a PING.
   */
  fence(passed: Fence): boolean {
    if (!this.up) return false
    this.fences.push(passed)
    this.wake()
    return true
  }

  private forget(topic: Topic): void {
    this.changed.delete(topic)
    this.retries.delete(topic)
    this.topics[topic.kind].delete(topic.name.toString('latin1'))
    if (this.size === 0) this.idleSince = this.clock.now
    topic.owner.released()
  }

  private change(topic: Topic): void {
    this.changed.add(topic)
    if (this.up) this.wake()
    else if (this.connection === undefined && !this.waiting) this.dial()
  }

  private wake(): void {
    if (!this.dirty) this.host.turn.add(this)
  }

  private dial(): void {
    if (this.stopped) return
    const socket = this.host.connect()
    if (socket === undefined) {
      this.dialLater()
      return
    }
    this.login = new SubscriberLogin(this.host.options)
    this.connection = new SubscriberConnection(socket, this.login, this)
  }

  private dialLater(): void {
    this.waiting = true
    this.host.later(this.backoff.next(), () => {
      this.waiting = false
      if (this.connection === undefined && this.size > 0) this.dial()
    })
  }

  // What the connection reports.

  ready(): void {
    if (this.wasReady) this.reconnects++
    this.wasReady = true
    const { events, outputLimit } = (this.login as SubscriberLogin).facts
    this.host.facts.events = events
    if (outputLimit !== undefined) this.host.facts.subscribersLimited(outputLimit)
    this.wake()
  }

  closed(why: string): void {
    this.connection = undefined
    const fences = [...this.commands.clear(), ...this.fences]
    this.fences = []
    this.retries.clear()
    // Nobody dials while the topics are put in order.
    this.waiting = true
    for (const topic of this.all()) {
      topic.newest = undefined
      topic.had = false
      if (topic.state !== 'off') topic.life.enter('off')
      if (topic.wanted) this.changed.add(topic)
      else this.forget(topic)
    }
    for (const passed of fences) passed()
    if (this.stopped || this.size === 0) {
      this.waiting = false
      return
    }
    const { now } = this.clock
    if (now - this.saidLostAt > SAY_AGAIN) {
      this.saidLostAt = now
      this.host.log.warn({ upstream: this.host.options.name, why }, LOST)
    }
    this.dialLater()
  }

  fault(error: unknown): void {
    this.host.fault(error)
  }

  private *all(): Iterable<Topic> {
    for (const topics of Object.values(this.topics)) yield* [...topics.values()]
  }

  frame(type: number, buf: Buffer, start: number, end: number): void {
    if (type === ERROR) this.failed(buf.toString('latin1', start + 1, end - 2))
    else if (type === STRING) {
      if (buf.compare(PONG, 0, PONG.length, start, end) !== 0) throw new BadReply('a reply that nobody asked for')
      this.commands.pong()
    } else {
      if (type !== ARRAY) throw new BadReply('a reply that nobody asked for')
      this.array(buf, start, end)
    }
    if (this.changed.size > 0) this.wake()
  }

  private array(buf: Buffer, start: number, end: number): void {
    const { message } = this
    message.read(buf, start, end)
    if (message.is(0, MESSAGE)) this.pass('channel', message)
    else if (message.is(0, PMESSAGE)) this.pass('pattern', message)
    else if (message.is(0, SMESSAGE)) this.pass('shard', message)
    else if (message.is(0, PONG_WORD)) this.commands.pong()
    else this.acknowledged(this.commands.acknowledge(message))
  }

  private pass(kind: TopicKind, message: MessageFrame): void {
    this.messages++
    this.topics[kind].get(message.text(1))?.owner.message(message)
  }

  private acknowledged(topic: Topic | undefined): void {
    if (topic === undefined) return
    if (topic.state === 'asked') {
      topic.life.enter('active')
      topic.owner.acknowledged()
    } else {
      topic.life.enter('off')
      if (!topic.wanted) this.forget(topic)
    }
  }

  /**
   * The server did not do the oldest command. Its topics are as they were, and what has to be said of them is said again
   * later: all other subscriptions of the connection go on meanwhile.
   */
  private failed(error: string): void {
    const asked = this.commands.refuse(error)
    const { topics, verb } = asked
    if (verb === 'ping') return
    const { now } = this.clock
    const passing = isPassing(error)
    const refusal = verb === 'subscribe' && isRefusal(error)
    if (!refusal) this.sayError(error, now)
    for (const topic of topics) {
      if (topic.newest !== asked) continue
      topic.life.enter(topic.had ? 'active' : 'off')
      if (topic.wanted === topic.had) {
        if (topic.wanted) topic.owner.acknowledged()
        else this.forget(topic)
      } else if (topics.length > 1 && !passing) {
        // Perhaps it is another of them that may not be had.
        topic.alone = true
        this.change(topic)
      } else {
        topic.alone = !passing
        this.retries.later(topic, error, now)
        if (!refusal) continue
        if (error.startsWith('NOPERM')) this.host.facts.noChannels(error)
        topic.owner.refused(error)
      }
    }
  }

  private sayError(error: string, now: number): void {
    if (now - this.saidErrorAt <= SAY_AGAIN) return
    this.saidErrorAt = now
    this.host.log.warn({ upstream: this.host.options.name, error }, TRIED_AGAIN)
  }

  flush(): void {
    this.dirty = false
    if (!this.up) return
    const out: Buffer[] = []
    const { now } = this.clock
    this.commands.write(this.changed, now, out)
    if (this.fences.length > 0) {
      this.commands.ping(this.fences, now, out)
      this.fences = []
    }
    if (out.length > 0) this.connection?.write(out)
  }

  // Its clockwork.

  /** Called ten times a second. `now`: clock time. */
  tick(now: number): void {
    const { connection } = this
    if (connection === undefined) return
    const { keepAlive, timeouts } = this.host.options
    if (!connection.ready) {
      if (now - connection.since > timeouts.connect) connection.close('timed out while connecting')
      return
    }
    // One that lets us in and then breaks off is not to be dialled twenty times a second.
    if (now - connection.since > STEADY) this.backoff.reset()
    for (const topic of this.retries.take(now)) this.change(topic)
    const { runId } = this.host
    const known = this.login?.facts.runId ?? ''
    const { oldest } = this.commands
    const quiet = now - Math.max(connection.lastBytesAt, oldest?.since ?? 0)
    if (oldest !== undefined) {
      if (quiet > 3 * timeouts.request) connection.close('silent for three time-outs')
    } else if (runId !== '' && known !== '' && runId !== known) {
      // Its name leads elsewhere now, or it was started anew: what is published, is published there.
      connection.close('the lanes are at another server')
    } else if (this.size === 0 && now - this.idleSince > keepAlive) connection.close('not needed')
    else if (quiet > keepAlive) this.fence(NOTHING)
  }

  /** The server is another one now. */
  move(): void {
    this.backoff.reset()
    this.connection?.close('the primary moved')
  }

  /** Closes, and does not come back. */
  stop(): void {
    this.stopped = true
    this.connection?.close('Keyward stops')
  }
}

const MESSAGE = Buffer.from('message')
const PMESSAGE = Buffer.from('pmessage')
const SMESSAGE = Buffer.from('smessage')
const PONG_WORD = Buffer.from('pong')
const PONG = Buffer.from('+PONG\r\n')
const NOTHING: Fence = () => {}

const TRIED_AGAIN = 'the upstream answers subscriptions with an error; those are tried again until it takes them'
const LOST =
  'the connection that carries the subscriptions of a tenant was lost; they are made again, messages of the meantime are not. If the server cut it off for reading slowly: client-output-buffer-limit pubsub'
