import { Entries, type Stored } from '../../../../src/policies/cache/entries.ts'
import type { Entry, Stamp } from '../../../../src/policies/cache/entry.ts'
import { EntryProbe } from '../../../../src/policies/cache/entry-key.ts'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'
import { Ruling } from '../../../../src/policies/policy.ts'

const STAMP: Stamp = { slot: 0, generation: 0, tenantEpoch: 0, feedEpoch: 0, storedAt: 0, expiresAt: 1000 }

/** Entries with the requests that they are asked by: GET of keys, without a prefix. */
export class EntriesWorld {
  readonly entries: Entries
  private readonly hasher = new KeyHash()
  private readonly probe = new EntryProbe(this.hasher)
  private readonly prefix = this.hasher.stateOf(Buffer.alloc(0))
  private readonly buf = Buffer.alloc(16 * 1024)
  private readonly args = new Int32Array(4)

  constructor(memory: number, isDead: (entry: Entry) => boolean = () => false) {
    this.entries = new Entries(memory, isDead)
  }

  /** The request for `key` is at hand. */
  ask(key: string): EntryProbe {
    this.args[2] = 10
    this.args[3] = 10 + this.buf.write(key, 10, 'latin1')
    return this.probe.set(0, 2, 0, this.prefix, this.buf, this.args, 1, 1)
  }

  find(key: string): Entry | undefined {
    return this.entries.find(this.ask(key))
  }

  store(key: string, reply: Buffer, stamp: Partial<Stamp> = {}): Stored {
    return this.entries.store(this.ask(key).key(), { ...STAMP, ...stamp }, reply, 0, reply.length)
  }

  /** The reply as a client would get it. */
  reply(key: string): Buffer | undefined {
    const entry = this.find(key)
    if (entry === undefined) return undefined
    const ruling = new Ruling()
    entry.answer(ruling)
    const { answer, answerStart, answerEnd } = ruling
    return answerEnd > 0 ? answer?.subarray(answerStart, answerEnd) : answer
  }

  /** What the cache does for a request: was there an entry? */
  get(key: string, reply: Buffer): boolean {
    if (this.find(key) !== undefined) return true
    this.store(key, reply)
    return false
  }
}
