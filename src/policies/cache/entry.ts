import type { Ruling } from '../policy.ts'
import type { EntryKey, EntryProbe } from './entry-key.ts'
import type { OutsideReplies } from './outside-replies.ts'
import { type Segment, UNIT } from './segments.ts'

/** What was true when the fetch of a reply began, and how long that may be served. */
export interface Stamp {
  /** Of the raw key, in Generations. */
  readonly slot: number
  readonly generation: number
  readonly tenantEpoch: number
  readonly feedEpoch: number
  /** Both on the process clock, in milliseconds. */
  readonly storedAt: number
  readonly expiresAt: number
}

// An entry in its segment: a head of so many words, then the key, each other argument behind its length, and the reply,
// unless that is kept outside. All that a hit looks at beside the bytes is in the head: one line of the processor's
// cache, or two.
const HASH = 0
const CHECK = 1
const WHAT = 2
const DB = 3
const KEY_LENGTH = 4
/** Of the key and the arguments. */
const ARGS_LENGTH = 5
/** Length of the reply; -1 - n: it is number n of OutsideReplies. */
const REPLY = 6
/** With USED. */
const SLOT = 7
const GENERATION = 8
const TENANT_EPOCH = 9
const FEED_EPOCH = 10
const TOUCHED_AT = 11
/** Of two words: a multiple of eight bytes. */
const EXPIRES_AT = 12
const HEAD_WORDS = 14
const HEAD_BYTES = 4 * HEAD_WORDS

/** It was asked for since its segment was gone through. */
const USED = 2 ** 30

/** Words of a unit. */
const UNIT_WORDS = UNIT / 4

/** Units of an entry with so many bytes of key, arguments and reply. */
export function unitsOf(bytes: number): number {
  return Math.ceil((HEAD_BYTES + bytes) / UNIT)
}

/**
 * One entry, where it lies. There are as many of these objects as places that look at entries, and each is moved from one
 * entry to the next, so that looking allocates nothing: what it is at is valid until something is stored, dropped or
 * looked for.
 */
export class Entry {
  private segment: Segment | undefined = undefined
  private words: Int32Array = NO_WORDS
  /** Of its first word. */
  private at = 0
  private readonly outside: OutsideReplies

  constructor(outside: OutsideReplies) {
    this.outside = outside
  }

  /** It is at the entry that begins `offset` units behind the start of the segment. */
  open(segment: Segment, offset: number): this {
    this.segment = segment
    this.words = segment.words
    this.at = offset * UNIT_WORDS
    return this
  }

  /** It is at no entry: whoever reads it now is mistaken, and is not given the bytes of another one. */
  close(): void {
    this.segment = undefined
    this.words = NO_WORDS
  }

  /** Writes all but the reply of a new entry where it is. `reply`: its length, or -1 - n for that of number n outside. */
  write(key: EntryKey, stamp: Stamp, reply: number): void {
    const { words, at } = this
    words[at + HASH] = key.hash
    words[at + CHECK] = key.check
    words[at + WHAT] = key.what
    words[at + DB] = key.db
    words[at + KEY_LENGTH] = key.keyEnd
    words[at + ARGS_LENGTH] = key.argsEnd
    words[at + REPLY] = reply
    words[at + SLOT] = stamp.slot
    words[at + GENERATION] = stamp.generation
    words[at + TENANT_EPOCH] = stamp.tenantEpoch
    words[at + FEED_EPOCH] = stamp.feedEpoch
    words[at + TOUCHED_AT] = stamp.storedAt
    this.here.doubles[(at + EXPIRES_AT) / 2] = stamp.expiresAt
    key.bytes.copy(this.bytes, this.start, 0, key.argsEnd)
  }

  /** Is it what is asked for? It was found by its hash. */
  answers(probe: EntryProbe): boolean {
    const { words, at } = this
    if (words[at + CHECK] !== probe.check || words[at + WHAT] !== probe.what || words[at + DB] !== probe.db)
      return false
    return probe.hasBytes(this.bytes, this.start, words[at + KEY_LENGTH], words[at + ARGS_LENGTH])
  }

  /** Where it lies. The key begins at `start`, its arguments end at `replyStart`. */
  get bytes(): Buffer {
    return this.here.bytes
  }

  get start(): number {
    return 4 * (this.at + HEAD_WORDS)
  }

  get keyEnd(): number {
    return this.start + this.words[this.at + KEY_LENGTH]
  }

  get replyStart(): number {
    return this.start + this.words[this.at + ARGS_LENGTH]
  }

  /** Bytes of the reply. */
  get replyLength(): number {
    const reply = this.words[this.at + REPLY]
    return reply < 0 ? this.outside.at(-1 - reply).length : reply
  }

  /** Copies the whole reply to where there is room for it; returns the place behind it. */
  copyReply(to: Buffer, at: number): number {
    const reply = this.words[this.at + REPLY]
    if (reply < 0) return at + this.outside.at(-1 - reply).copy(to, at)
    const { replyStart } = this
    return at + this.bytes.copy(to, at, replyStart, replyStart + reply)
  }

  /** The reply is the answer: one outside as it is, for good, one in a segment to be copied before anything else is done. */
  answer(ruling: Ruling): void {
    const { bytes } = this
    const reply = this.words[this.at + REPLY]
    if (reply < 0) {
      ruling.answer = this.outside.at(-1 - reply)
      return
    }
    const { replyStart } = this
    ruling.answer = bytes
    ruling.answerStart = replyStart
    ruling.answerEnd = replyStart + reply
  }

  /** Number of its reply in OutsideReplies; -1: it is not there. */
  get outsideNumber(): number {
    const reply = this.words[this.at + REPLY]
    return reply < 0 ? -1 - reply : -1
  }

  /** Units that it takes in its segment. */
  get units(): number {
    const { words, at } = this
    return unitsOf(words[at + ARGS_LENGTH] + Math.max(0, words[at + REPLY]))
  }

  get address(): number {
    return this.here.address + this.at / UNIT_WORDS
  }

  get hash(): number {
    return this.words[this.at + HASH]
  }

  get check(): number {
    return this.words[this.at + CHECK]
  }

  get protocol(): 2 | 3 {
    return (this.words[this.at + WHAT] & 1) === 0 ? 2 : 3
  }

  get slot(): number {
    return this.words[this.at + SLOT] & ~USED
  }

  get used(): boolean {
    return (this.words[this.at + SLOT] & USED) !== 0
  }

  /** Written only where it differs: most that is asked for was asked for before. */
  set used(used: boolean) {
    const { words, at } = this
    const slot = words[at + SLOT]
    const next = used ? slot | USED : slot & ~USED
    if (next !== slot) words[at + SLOT] = next
  }

  get generation(): number {
    return this.words[this.at + GENERATION]
  }

  get tenantEpoch(): number {
    return this.words[this.at + TENANT_EPOCH]
  }

  get feedEpoch(): number {
    return this.words[this.at + FEED_EPOCH]
  }

  get expiresAt(): number {
    return this.here.doubles[(this.at + EXPIRES_AT) / 2]
  }

  /** For its user: milliseconds from when the server was last told that the key is in use, to `now`. */
  sinceTouched(now: number): number {
    // The clock, cut to 32 bits: an entry that nobody asks for in 24 days may seem to have been touched just now.
    return (now - this.words[this.at + TOUCHED_AT]) | 0
  }

  touch(now: number): void {
    this.words[this.at + TOUCHED_AT] = now
  }

  private get here(): Segment {
    if (this.segment === undefined) throw new Error('an entry is looked at that has gone')
    return this.segment
  }
}

const NO_WORDS = new Int32Array(0)
