import { Entries, type Entry, type Stamp, type Stored } from '../../../../src/policies/cache/entries.ts'
import { EntryProbe } from '../../../../src/policies/cache/entry-key.ts'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'

const STAMP: Stamp = { slot: 0, generation: 0, tenantEpoch: 0, feedEpoch: 0, storedAt: 0, expiresAt: 1000 }
const BULK = 0x24

/** Entries with the requests that they are asked by: GET of keys, without a prefix. */
export class EntriesWorld {
  readonly entries: Entries
  private readonly hasher = new KeyHash()
  private readonly probe = new EntryProbe(this.hasher)
  private readonly prefix = this.hasher.stateOf(Buffer.alloc(0))
  private readonly buf = Buffer.alloc(512)
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
    return this.entries.store(this.ask(key).key(), { ...STAMP, ...stamp }, BULK, reply, 0, reply.length)
  }

  /** What the cache does for a request: was there an entry? */
  get(key: string, reply: Buffer): boolean {
    if (this.find(key) !== undefined) return true
    this.store(key, reply)
    return false
  }
}
