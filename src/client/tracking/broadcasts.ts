import { randomInt } from 'node:crypto'
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
 * as Redis does it. A name is looked up by its beginnings, once for each length that a prefix has, however many prefixes there are, by
 * hashes that are continued from one length to the next: nothing is cut out of the name.
 */
export class Broadcasts {
  private readonly groups = new Map<string, Group>()
  /** The same by the hash of the prefix. */
  private readonly byHash = new Map<number, Group[]>()
  /** Lengths that prefixes have, ascending, and how many have them. */
  private readonly lengths: number[] = []
  private readonly counts = new Map<number, number>()
  private readonly touched = new Set<Group>()
  private readonly found: Group[] = []
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
      this.enter(group)
    }
    group.readers.add(reader)
  }

  part(reader: Reader, prefix: string): void {
    const group = this.groups.get(prefix)
    if (group?.readers.delete(reader) !== true || group.readers.size > 0) return
    this.groups.delete(prefix)
    // Those that are being told now are counted no more.
    if (this.touched.delete(group)) this.pending -= group.names.size
    this.remove(group)
  }

  private enter(group: Group): void {
    const { byHash, counts, lengths } = this
    const { length } = group.prefix
    const hash = hashOf(group.prefix)
    const same = byHash.get(hash)
    if (same === undefined) byHash.set(hash, [group])
    else same.push(group)
    const count = counts.get(length) ?? 0
    counts.set(length, count + 1)
    if (count > 0) return
    const at = lengths.findIndex((other) => other > length)
    lengths.splice(at < 0 ? lengths.length : at, 0, length)
  }

  private remove(group: Group): void {
    const { byHash, counts, lengths } = this
    const { length } = group.prefix
    const hash = hashOf(group.prefix)
    const left = (byHash.get(hash) ?? []).filter((other) => other !== group)
    if (left.length > 0) byHash.set(hash, left)
    else byHash.delete(hash)
    const count = (counts.get(length) ?? 1) - 1
    if (count > 0) counts.set(length, count)
    else {
      counts.delete(length)
      lengths.splice(lengths.indexOf(length), 1)
    }
  }

  /** Whose prefixes this name begins with: good until the next call. */
  private find(name: string): readonly Group[] {
    const { byHash, found } = this
    found.length = 0
    let hash = SEED
    let at = 0
    for (const length of this.lengths) {
      if (length > name.length) break
      for (; at < length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), FACTOR)
      const groups = byHash.get(hash)
      if (groups === undefined) continue
      for (const group of groups) if (group.prefix.length === length && name.startsWith(group.prefix)) found.push(group)
    }
    return found
  }

  /** The reader wants to hear of this key. */
  wants(reader: Reader, name: string): boolean {
    for (const { readers } of this.find(name)) if (readers.has(reader)) return true
    return false
  }

  /** This key was written. False: nobody wants to hear of it. */
  add(name: string): boolean {
    const found = this.find(name)
    const any = found.length > 0
    for (const group of found) {
      if (group.names.has(name)) continue
      group.names.add(name)
      this.touched.add(group)
      this.pending++
    }
    if (this.pending >= MOST_PENDING) this.send()
    return any
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

/** Nobody outside knows them, so that nobody can choose prefixes that have the same hash. */
const SEED = randomInt(2 ** 32) | 0
const FACTOR = randomInt(2 ** 31) * 2 + 1

function hashOf(text: string): number {
  let hash = SEED
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FACTOR)
  return hash
}
