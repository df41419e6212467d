import { channelMatches, OWN_CHANNELS } from '../../keyspace/channels.ts'
import type { MessageFrame } from '../../resp/message.ts'
import type { Subscriber } from '../../upstream/subscriber.ts'
import type { TopicKind } from '../../upstream/topic.ts'
import { type Crowds, readCrowds, writeCrowds } from './crowds.ts'
import { Listened } from './listened.ts'
import type { TenantTopics } from './tenant-topics.ts'

/** Milliseconds: how often a tenant's crowds are asked for, and how long an answer counts. */
const ASK_EVERY = 1000
const ANSWER_LASTS = 5000
/** An answer is listened for until nobody has asked for so long. */
const LISTEN = 30_000
/** Tenants with answers that are kept, and processes for each. */
const MOST_TENANTS = 1000
const MOST_PROCESSES = 64
/** Questions that wait until answers can be heard. */
const MOST_WAITING = 100

/** What writeCrowds() says of none. */
const NONE = '[]'

const QUESTIONS = `${OWN_CHANNELS}counts`

/** What it asks of the process. */
export interface ElsewhereHost {
  /** Names this process among others on the same server; without blanks. */
  readonly id: string
  /** The topics of this prefix, at this node. */
  topicsOf(prefix: string): TenantTopics | undefined
  /** PUBLISH, without waiting for what becomes of it. */
  publish(channel: string, message: string): void
  /** Asks the server how many subscribe to this channel; `then` is not called when it does not answer. */
  count(channel: string, then: (subscribers: number) => void): void
  /** Clock milliseconds. */
  now(): number
}

interface Answers {
  askedAt: number
  readonly byProcess: Map<string, { readonly at: number; readonly crowds: Crowds }>
}

/**
 * The subscribers that are hidden behind other Keyward processes at the same server, each of which is one subscriber to
 * it. When a count of the server's says that somebody else subscribes, the others are asked, on a channel of Keyward's
 * own, for the topics of that tenant with more than one client; their answers count for some seconds. So the first count
 * may be too small, and the next one, a moment later, is right. A process that is alone asks nobody and hears nothing.
 */
export class Elsewhere {
  private readonly host: ElsewhereHost
  private readonly questions: OwnChannel
  private readonly answers: OwnChannel
  private readonly known = new Map<string, Answers>()
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(subscriber: Subscriber, host: ElsewhereHost) {
    this.host = host
    this.questions = new OwnChannel(subscriber, QUESTIONS, (text) => this.asked(text))
    this.answers = new OwnChannel(subscriber, `${QUESTIONS}:${host.id}`, (text) => this.answered(text))
  }

  /** Some tenant has topics here that others may ask for; or none has any more. */
  listens(on: boolean): void {
    this.questions.open(on)
  }

  /** Receivers of a message to this channel that the server's count leaves out. */
  receivers(prefix: string, kind: 'channel' | 'shard', channel: Buffer): number {
    let sum = 0
    for (const crowds of this.ask(prefix)) {
      sum += crowds[kind].get(channel.toString('latin1')) ?? 0
      if (kind === 'shard') continue
      for (const [pattern, more] of crowds.pattern) {
        if (channelMatches(Buffer.from(pattern, 'latin1'), channel)) sum += more
      }
    }
    return sum
  }

  /** Subscribers of this name that the server's count leaves out. */
  subscribers(prefix: string, kind: TopicKind, name: Buffer): number {
    let sum = 0
    for (const crowds of this.ask(prefix)) sum += crowds[kind].get(name.toString('latin1')) ?? 0
    return sum
  }

  /** What is known of the other processes' crowds; asks for it anew if that is due. */
  private *ask(prefix: string): Iterable<Crowds> {
    const now = this.host.now()
    let answers = this.known.get(prefix)
    if (answers === undefined) {
      if (this.known.size >= MOST_TENANTS) this.known.clear()
      this.known.set(prefix, (answers = { askedAt: Number.NEGATIVE_INFINITY, byProcess: new Map() }))
    }
    if (now - answers.askedAt >= ASK_EVERY) {
      // Who has not answered the last question has gone.
      for (const [id, { at }] of answers.byProcess) if (at < answers.askedAt) answers.byProcess.delete(id)
      answers.askedAt = now
      if (this.answers.engaged) this.question(prefix)
      // Usually this process is alone, and who else subscribes is no Keyward.
      else this.host.count(QUESTIONS, (listeners) => listeners > this.questions.weight && this.question(prefix))
    }
    for (const [id, { at, crowds }] of answers.byProcess) {
      if (now - at > ANSWER_LASTS) answers.byProcess.delete(id)
      else yield crowds
    }
  }

  private question(prefix: string): void {
    this.listen()
    this.answers.whenOpen(() => this.host.publish(QUESTIONS, `${this.host.id} ${prefix}`))
  }

  private listen(): void {
    this.answers.open(true)
    if (this.timer !== undefined) {
      this.timer.refresh()
      return
    }
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.answers.open(false)
    }, LISTEN)
    this.timer.unref()
  }

  /** `<id> <prefix>`: a process wants to know. */
  private asked(text: string): void {
    const [, id, prefix] = /^([^ ]+) ([^ ]*)$/.exec(text) ?? []
    if (id === undefined || id === this.host.id) return
    const topics = this.host.topicsOf(prefix)
    // That there are none any more is an answer, too: the last one would count for seconds.
    const crowds = topics === undefined ? NONE : writeCrowds(topics)
    this.host.publish(`${QUESTIONS}:${id}`, `${this.host.id} ${prefix} ${crowds}`)
  }

  /** `<id> <prefix> <crowds>` */
  private answered(text: string): void {
    const [, id, prefix, body] = /^([^ ]+) ([^ ]*) (.*)$/s.exec(text) ?? []
    const answers = this.known.get(prefix)
    const crowds = body === undefined ? undefined : readCrowds(body)
    if (answers === undefined || crowds === undefined) return
    if (body === NONE) {
      answers.byProcess.delete(id)
      return
    }
    if (!answers.byProcess.has(id) && answers.byProcess.size >= MOST_PROCESSES) return
    answers.byProcess.set(id, { at: this.host.now(), crowds })
  }
}

/** A channel on which processes talk. */
class OwnChannel extends Listened {
  private readonly hear: (text: string) => void
  private readonly waiting: (() => void)[] = []

  constructor(subscriber: Subscriber, name: string, hear: (text: string) => void) {
    super(subscriber, 'channel', Buffer.from(name))
    this.hear = hear
  }

  open(on: boolean): void {
    if (on) this.engage()
    else this.disengage()
  }

  /** Calls `fn` when what is published there will be heard; never, if too many wait for that. */
  whenOpen(fn: () => void): void {
    if (this.active) {
      fn()
      return
    }
    if (this.waiting.length === 0) this.await({ done: () => this.opened(), refused: () => this.opened() })
    if (this.waiting.length < MOST_WAITING) this.waiting.push(fn)
  }

  private opened(): void {
    for (const fn of this.waiting.splice(0)) fn()
  }

  message(message: MessageFrame): void {
    this.hear(message.text(2))
  }

  protected gone(): void {}
}
