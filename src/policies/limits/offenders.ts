import type { Offender } from './limit-view.ts'

/** Names that are counted at a time. */
const KEPT = 64
/** Names are cut to so many characters, those of keys being bytes; longer ones that begin alike count as one. */
const LONGEST = 128

/**
 * The names that come most often, counted in bounded space: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient
 * computation of frequent and top-k elements in data streams", 2005). A name for which there is no counter takes the
 * lowest one and counts on from there. So no count is too low, none is too high by more than total / kept, and every
 * name with more than total / kept occurrences is there.
 */
export class Offenders {
  /** By counter. */
  private readonly names: string[] = []
  private readonly counts: Float64Array
  private readonly overs: Float64Array
  private readonly counters = new Map<string, number>()

  constructor(kept = KEPT) {
    this.counts = new Float64Array(kept)
    this.overs = new Float64Array(kept)
  }

  /** Once more, or `weight` times. For a name that has no counter it looks at all of them. */
  note(name: string, weight = 1): void {
    const short = name.length > LONGEST ? cut(name) : name
    this.counts[this.counters.get(short) ?? this.begin(short)] += weight
  }

  /** The `most` highest counts, the highest first. */
  top(most: number): Offender[] {
    const all = this.names.map((name, i) => ({ name, count: this.counts[i], over: this.overs[i] }))
    return all.sort((one, other) => other.count - one.count).slice(0, most)
  }

  /** The counter of a name that has none. */
  private begin(name: string): number {
    let counter = this.names.length
    if (counter === this.counts.length) {
      counter = this.lowest()
      this.counters.delete(this.names[counter])
    }
    this.names[counter] = name
    this.overs[counter] = this.counts[counter]
    this.counters.set(name, counter)
    return counter
  }

  private lowest(): number {
    const { counts } = this
    let lowest = 0
    for (let i = 1; i < counts.length; i++) if (counts[i] < counts[lowest]) lowest = i
    return lowest
  }
}

/** A copy: a slice would keep the whole name in memory. */
function cut(name: string): string {
  return Buffer.from(name.slice(0, LONGEST), 'utf16le').toString('utf16le')
}
