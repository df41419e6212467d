import type { SlowEntry, SlowLogView } from '../commands/views.ts'
import { PerSecond } from '../lib/per-second.ts'

/**
 * The newest slow requests of one tenant. Limit: `slowlog.entries`, each of at most 32 arguments of 128 bytes and a
 * bit; the oldest goes. And so many in a second: when all is slow, logging it all would make it slower.
 */
export class SlowLog implements SlowLogView {
  private readonly perSecond = new PerSecond(MOST_PER_SECOND)
  private most = 0
  /** Oldest first. */
  private entries: SlowEntry[] = []
  private nextId = 0

  get length(): number {
    return this.entries.length
  }

  /** How many are kept. A reload may change it. */
  limit(most: number): void {
    this.most = most
    this.trim()
  }

  /** There may be one more entry now. `now`: clock milliseconds. */
  due(now: number): boolean {
    return this.perSecond.take(now)
  }

  add(entry: Omit<SlowEntry, 'id'>): void {
    this.entries.push({ id: this.nextId++, ...entry })
    this.trim()
  }

  private trim(): void {
    if (this.entries.length > this.most) this.entries.splice(0, this.entries.length - this.most)
  }

  newest(count: number): readonly SlowEntry[] {
    return this.entries.slice(Math.max(0, this.entries.length - count)).reverse()
  }

  reset(): void {
    this.entries = []
  }
}

/** Entries of one tenant. */
const MOST_PER_SECOND = 200
