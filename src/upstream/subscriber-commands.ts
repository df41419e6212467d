import type { MessageFrame } from '../resp/message.ts'
import { BadReply } from '../resp/reply-scanner.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Topic, TopicKind } from './topic.ts'

/** Called when all that was on its way at the time has come. */
export type Fence = () => void

/** Most names in one command, and about so many bytes of them. */
const MOST_NAMES = 1000
const COMMAND_BYTES = 64 * 1024
/** Bytes of commands that may wait for their answers; the rest waits as topics that have changed. */
const WINDOW = 256 * 1024

type Verb = 'subscribe' | 'unsubscribe'

/** A command whose answers have not all come. */
export interface Asked {
  readonly verb: Verb | 'ping'
  readonly kind: TopicKind
  /** One acknowledgement each, in this order. */
  readonly topics: readonly Topic[]
  /** The next one to be acknowledged. */
  at: number
  readonly bytes: number
  /** Clock time. */
  readonly since: number
  /** For a PING: who waits for its answer. */
  readonly fences: readonly Fence[]
}

interface Batch {
  readonly verb: Verb
  readonly kind: TopicKind
  readonly topics: Topic[]
  bytes: number
}

/**
 * The commands of a subscriber that the server has not answered, oldest first. Answers come in order, so each must be
 * that of the oldest; one that is not breaks the connection off. Limit: 256 KiB of commands.
 */
export class SubscriberCommands {
  private asked: Asked[] = []
  private bytes = 0

  get oldest(): Asked | undefined {
    return this.asked[0]
  }

  /** Writes to `out` what the server has to be told of these topics, as far as the limit lets, and takes those out of the set. */
  write(changed: Set<Topic>, now: number, out: Buffer[]): void {
    const batches = new Map<string, Batch>()
    for (const topic of changed) {
      if (this.bytes >= WINDOW) break
      changed.delete(topic)
      const verb = due(topic)
      if (verb === undefined) continue
      const { kind } = topic
      if (topic.alone) {
        this.ask({ verb, kind, topics: [topic], bytes: topic.name.length }, now, out)
        continue
      }
      const key = `${verb} ${kind}`
      let batch = batches.get(key)
      if (batch === undefined) batches.set(key, (batch = { verb, kind, topics: [], bytes: 0 }))
      batch.topics.push(topic)
      batch.bytes += topic.name.length
      if (batch.topics.length < MOST_NAMES && batch.bytes < COMMAND_BYTES) continue
      batches.delete(key)
      this.ask(batch, now, out)
    }
    for (const batch of batches.values()) this.ask(batch, now, out)
  }

  private ask({ verb, kind, topics }: Batch, since: number, out: Buffer[]): void {
    const bytes = encodeRequest([WORDS[kind][verb], ...topics.map((topic) => topic.name)])
    const asked: Asked = { verb, kind, topics, at: 0, bytes: bytes.length, since, fences: [] }
    for (const topic of topics) {
      topic.newest = asked
      topic.alone = false
      topic.life.enter(verb === 'subscribe' ? 'asked' : 'leaving')
    }
    this.push(asked, bytes, out)
  }

  ping(fences: readonly Fence[], since: number, out: Buffer[]): void {
    this.push({ verb: 'ping', kind: 'channel', topics: [], at: 0, bytes: PING.length, since, fences }, PING, out)
  }

  private push(asked: Asked, bytes: Buffer, out: Buffer[]): void {
    this.asked.push(asked)
    this.bytes += bytes.length
    out.push(bytes)
  }

  /** The answer to a PING has come. Throws BadReply when none is due. */
  pong(): void {
    const head = this.asked[0]
    if (head?.verb !== 'ping') throw new BadReply('a reply that nobody asked for')
    this.shift()
    for (const passed of head.fences) passed()
  }

  /**
   * An acknowledgement has come. The topic that it is of, if nothing newer was said about that. Throws BadReply when it is
   * not the one that is due.
   */
  acknowledge(message: MessageFrame): Topic | undefined {
    const head = this.asked[0]
    const topic = head?.topics[head.at]
    if (
      head === undefined ||
      head.verb === 'ping' ||
      topic === undefined ||
      !message.is(0, WORDS[head.kind][head.verb])
    )
      throw new BadReply('an acknowledgement that nobody waits for')
    if (!message.is(1, topic.name)) throw new BadReply('an acknowledgement of something else')
    topic.had = head.verb === 'subscribe'
    topic.errors = 0
    head.at++
    if (head.at === head.topics.length) this.shift()
    return topic.newest === head ? topic : undefined
  }

  /**
   * The oldest command was answered by this error; it is returned. What waits for a PING has passed: an error comes in its
   * turn, too. Throws BadReply when no answer is due, or when the server has forgotten who we are.
   */
  refuse(error: string): Asked {
    const head = this.asked[0]
    if (head === undefined || head.at > 0 || error.startsWith('NOAUTH'))
      throw new BadReply(`an error that is no answer to a subscription: ${error.slice(0, 100)}`)
    if (head.verb === 'ping') this.pong()
    else this.shift()
    return head
  }

  private shift(): void {
    this.bytes -= this.asked.shift()?.bytes ?? 0
  }

  /** The connection is lost: nothing will be answered. Returns who waited for a PING. */
  clear(): readonly Fence[] {
    const fences = this.asked.flatMap((asked) => asked.fences)
    this.asked = []
    this.bytes = 0
    return fences
  }
}

/** What the server has to be told of it. */
function due({ wanted, state }: Topic): Verb | undefined {
  if (wanted) return state === 'off' || state === 'leaving' ? 'subscribe' : undefined
  return state === 'asked' || state === 'active' ? 'unsubscribe' : undefined
}

const WORDS: Readonly<Record<TopicKind, Readonly<Record<Verb, Buffer>>>> = {
  channel: { subscribe: Buffer.from('subscribe'), unsubscribe: Buffer.from('unsubscribe') },
  pattern: { subscribe: Buffer.from('psubscribe'), unsubscribe: Buffer.from('punsubscribe') },
  shard: { subscribe: Buffer.from('ssubscribe'), unsubscribe: Buffer.from('sunsubscribe') },
}
const PING = encodeRequest(['PING'])
