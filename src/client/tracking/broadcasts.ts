import { Notice } from './notice.ts'
import type { Reader } from './reader.ts'

/** Names that wait for the end of the turn at most; more are sent at once. */
const MOST_PENDING = 10_000

/** Clients that want to hear of all keys with one prefix. */
interface Group {
  readonly prefix: string
  readonly readers: Set<Reader>
  /** Written since the last time they were told. */
  readonly names: Set<string>
}

/**
 * BCAST of one tenant: who wants to hear of which prefixes, and what they will hear at the end of the turn, in one frame for each prefix,
 * as Redis does it. A name is looked up by its beginnings, once for each length that a prefix has, however many prefixes there are.
 */
export class Broadcasts {
  private readonly groups = new Map<string, Group>()
  /** How many prefixes of each length there are. */
  private readonly lengths = new Map<number, number>()
  private readonly touched = new Set<Group>()
  private pending = 0

  /** Nobody wants to hear anything. */
  get empty(): boolean {
    return this.groups.size === 0
  }

  /** `prefix`: of the tenant's own names, one character per byte. */
  join(reader: Reader, prefix: string): void {
    let group = this.groups.get(prefix)
    if (group === undefined) {
      group = { prefix, readers: new Set(), names: new Set() }
      this.groups.set(prefix, group)
      this.lengths.set(prefix.length, (this.lengths.get(prefix.length) ?? 0) + 1)
    }
    group.readers.add(reader)
  }

  part(reader: Reader, prefix: string): void {
    const group = this.groups.get(prefix)
    if (group?.readers.delete(reader) !== true || group.readers.size > 0) return
    this.groups.delete(prefix)
    // Those that are being told now are counted no more.
    if (this.touched.delete(group)) this.pending -= group.names.size
    const left = (this.lengths.get(prefix.length) ?? 1) - 1
    if (left > 0) this.lengths.set(prefix.length, left)
    else this.lengths.delete(prefix.length)
  }

  /** This key was written. False: nobody wants to hear of it. */
  add(name: string): boolean {
    let found = false
    for (const length of this.lengths.keys()) {
      if (length > name.length) continue
      const group = this.groups.get(length === name.length ? name : name.slice(0, length))
      if (group === undefined) continue
      found = true
      if (group.names.has(name)) continue
      group.names.add(name)
      this.touched.add(group)
      this.pending++
    }
    if (this.pending >= MOST_PENDING) this.send()
    return found
  }

  /** Tells what was added, in the order of Redis: that of bytes. */
  send(): void {
    if (this.pending === 0) return
    const touched = [...this.touched].sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
    this.touched.clear()
    this.pending = 0
    for (const { names, readers } of touched) {
      const notice = Notice.of([...names].sort())
      names.clear()
      // One that is cut while it gets this leaves the set, which iteration allows.
      for (const reader of readers) reader.tell(notice)
    }
  }
}
