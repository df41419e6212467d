import { ReplyWriter } from '../../resp/reply-writer.ts'
import type { TopicKind } from '../../upstream/topic.ts'

/** The six commands: what each does, to which kind of topic. */
export const VERBS: Readonly<Record<string, { readonly kind: TopicKind; readonly subscribes: boolean }>> = {
  subscribe: { kind: 'channel', subscribes: true },
  psubscribe: { kind: 'pattern', subscribes: true },
  ssubscribe: { kind: 'shard', subscribes: true },
  unsubscribe: { kind: 'channel', subscribes: false },
  punsubscribe: { kind: 'pattern', subscribes: false },
  sunsubscribe: { kind: 'shard', subscribes: false },
}

/** The acknowledgements of one request, one for each name: `word` is the command's, `count` what its kind counts then. */
export class Acks {
  private readonly writer: ReplyWriter
  private readonly word: string

  constructor(protocol: 2 | 3, word: string) {
    this.writer = new ReplyWriter(protocol)
    this.word = word
  }

  /** `name` undefined: there was nothing to unsubscribe from. */
  add(name: Buffer | undefined, count: number): void {
    const { writer } = this
    writer.push(3)
    writer.bulk(this.word)
    if (name === undefined) writer.null()
    else writer.bulk(name)
    writer.integer(count)
  }

  take(): Buffer {
    return this.writer.take()
  }
}
