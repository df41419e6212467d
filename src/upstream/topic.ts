import { Lifecycle } from '../lib/lifecycle.ts'
import type { MessageFrame } from '../resp/message.ts'

/** Subscribed to by SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE. */
export type TopicKind = 'channel' | 'pattern' | 'shard'

/** Who asked for a topic, and hears of it. */
export interface TopicOwner {
  /** The server has acknowledged it: what is published from now on comes. */
  acknowledged(): void
  /**
   * The server refuses it. `error`: its line, without the `-`. It stays wanted, and is asked for again now and then, until
   * the owner says otherwise: acknowledged() may come after all.
   */
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
 *
 * An error in answer leads back to what the server has: active or off.
 */
const MOVES = {
  off: ['asked'],
  asked: ['active', 'leaving', 'off'],
  active: ['leaving', 'off'],
  leaving: ['asked', 'active', 'off'],
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
  /** The server has it: so say its acknowledgements so far, whatever has been asked since. */
  had = false
  /** Errors about it since the last acknowledgement. */
  errors = 0

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
    return this.had
  }
}
