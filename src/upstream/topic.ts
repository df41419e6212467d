import { Lifecycle } from '../lib/lifecycle.ts'
import type { MessageFrame } from '../resp/message.ts'

/** Subscribed to by SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE. */
export type TopicKind = 'channel' | 'pattern' | 'shard'

/** Who asked for a topic, and hears of it. */
export interface TopicOwner {
  /** The server has acknowledged it: what is published from now on comes. */
  acknowledged(): void
  /** The server refuses it. `error`: its line, without the `-`. It stays wanted until the owner says otherwise. */
  refused(error: string): void
  /** Not wanted any more, and the server does not count it any more. It must be asked for anew. */
  released(): void
  /** Valid during the call only. */
  message(message: MessageFrame): void
}

/**
 *   off      the server knows nothing of it
 *   asked    SUBSCRIBE was written
 *   active   acknowledged
 *   leaving  UNSUBSCRIBE was written
 */
const MOVES = {
  off: ['asked'],
  asked: ['active', 'leaving', 'off'],
  active: ['leaving', 'off'],
  leaving: ['asked', 'off'],
} as const
export type TopicState = keyof typeof MOVES

/** One channel, pattern or shard channel that a subscriber has, or is to have, upstream. */
export class Topic {
  readonly kind: TopicKind
  /** As the server knows it. */
  readonly name: Buffer
  readonly owner: TopicOwner
  readonly life = new Lifecycle<TopicState>('off', MOVES)
  wanted = true
  /** The newest command that names it: an acknowledgement of an older one says nothing about now. */
  newest: object | undefined = undefined
  /** Was refused together with others: asked for again in a command of its own. */
  alone = false

  constructor(kind: TopicKind, name: Buffer, owner: TopicOwner) {
    this.kind = kind
    this.name = name
    this.owner = owner
  }

  get state(): TopicState {
    return this.life.state
  }

  /** The server counts it as a subscription, or did a moment ago. */
  get counted(): boolean {
    return this.life.state === 'active' || this.life.state === 'leaving'
  }
}
