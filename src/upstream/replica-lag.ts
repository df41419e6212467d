/** How far one replica is known to be. Made by `ReplicaLag.join`; only ReplicaLag changes it. */
export interface ReplicaPosition {
  /** Number of the newest sample of the primary that it is known to have passed; 0: none. */
  passed: number
  /** Clock time at which that sample was begun; -Infinity: none. */
  begun: number
  /** Of that sample. */
  passedOffset: number
  /** What it said last; -1: nothing yet, or nothing that counts. */
  offset: number
  /** The replication id that it counts in. */
  history: string
}

/** One look at the primary's offset. Samples are kept in a fixed array and reused. */
interface Sample {
  number: number
  begun: number
  offset: number
}

/** Most samples kept; see `thin`. */
const MOST = 64
/** Milliseconds. Older samples are dropped; who lags by more is known to lag by at least about that. */
const HORIZON = 3_600_000

/**
 * What replicas may be read: how old their data can be, and whether a client's own writes are in them.
 *
 * The primary's offset (`master_repl_offset`) is sampled now and then, each sample with a number. All that the primary had
 * executed when a sample was begun is within the sample's offset. So when a replica has that offset, it has all of that:
 * it lags by no more than the time since the sample was begun (`lag`), and it has every write that was answered before
 * (`covers`). Both are bounds to be safe on, never guesses, and both only compare two numbers.
 *
 * A client remembers `newest` whenever a write of it is answered: answered, not sent, because a sample may overtake a
 * write that is still on its way. Offsets count in a history (`master_replid`), and those of another prove nothing: a
 * replica that has not synchronised yet says 1, and a restarted primary may begin at 0.
 */
export class ReplicaLag {
  /** Number of the newest sample begun; 0: none yet. Never falls, not even when the primary changes. */
  newest = 0
  private history = ''
  private pending = 0
  private pendingBegun = 0
  /** In the order of their numbers, which is that of their offsets, too; the first `count` are in use. */
  private readonly samples: Sample[] = Array.from({ length: MOST + 1 }, () => ({ number: 0, begun: 0, offset: 0 }))
  private count = 0
  private readonly positions = new Set<ReplicaPosition>()

  /**
   * The primary is about to be asked for its offset; returns the number to end it with. `now`: clock milliseconds. One at
   * a time: a sample that has not ended by then never counts.
   */
  begin(now: number): number {
    this.pending = ++this.newest
    this.pendingBegun = now
    return this.pending
  }

  /**
   * The primary said its `master_repl_offset` and `master_replid`; undefined where it said neither, and then nothing is known of
   * any replica. Another id than before, or a smaller offset, is another history, and begins anew like `reset`.
   */
  end(sample: number, offset: number | undefined, history: string | undefined): void {
    if (sample !== this.pending) return
    const begun = this.pendingBegun
    if (offset === undefined || history === undefined) {
      this.reset()
      return
    }
    if (this.count > 0 && (history !== this.history || offset < this.samples[this.count - 1].offset)) this.reset()
    this.pending = 0
    this.history = history
    const free = this.samples[this.count++]
    free.number = sample
    free.begun = begun
    free.offset = offset
    if (this.count > MOST) this.thin(begun)
    for (const position of this.positions) this.place(position)
  }

  /** The primary is another one: nothing is known until it was sampled and the replicas have reported, both since now. */
  reset(): void {
    this.pending = 0
    this.count = 0
    this.history = ''
    for (const position of this.positions) forget(position)
  }

  /** A replica is connected. Leave and join again when its connection is lost: it may have been restarted with old data. */
  join(): ReplicaPosition {
    const position = { passed: 0, begun: Number.NEGATIVE_INFINITY, passedOffset: -1, offset: -1, history: '' }
    this.positions.add(position)
    return position
  }

  leave(position: ReplicaPosition): void {
    this.positions.delete(position)
    forget(position)
  }

  /** The replica said its `slave_repl_offset` and `master_replid`; undefined: it did not, and nothing is known of it. */
  reported(position: ReplicaPosition, offset: number | undefined, history: string | undefined): void {
    position.offset = offset ?? -1
    position.history = history ?? ''
    this.place(position)
  }

  /** Upper bound of how old the replica's data is, in milliseconds; Infinity: unknown. `now`: clock milliseconds. */
  lag(position: ReplicaPosition, now: number): number {
    return now - position.begun
  }

  /**
   * Whether it has all writes that were answered while `sample` was the newest begun one, or earlier. 0, for who has not
   * written: whether anything is known of it. A false no is possible, for as long as samples are apart; a false yes is not.
   */
  covers(position: ReplicaPosition, sample: number): boolean {
    return position.passed > sample
  }

  /** Finds the newest sample that the replica has passed. */
  private place(position: ReplicaPosition): void {
    const { offset } = position
    if (offset < 0 || this.history === '' || position.history !== this.history) {
      unknown(position)
      return
    }
    for (let i = this.count - 1; i >= 0; i--) {
      const sample = this.samples[i]
      if (sample.offset > offset) continue
      // It may have passed a sample that was dropped since and lies between two that are here.
      if (sample.number <= position.passed && position.passedOffset <= offset) return
      position.passed = sample.number
      position.begun = sample.begun
      position.passedOffset = sample.offset
      return
    }
    // Before all that are kept. What it passed earlier holds, unless it has gone back.
    if (position.passedOffset > offset) unknown(position)
  }

  /**
   * Drops one sample: the oldest when the second oldest is old enough, else the one that is missed least, whose
   * neighbours are closest together for their age. So samples are dense where they are young and thin out with age, and a lag
   * is found about as exactly, in proportion, after an hour as after a second.
   */
  private thin(now: number): void {
    const { samples, count } = this
    let least = 0
    if (now - samples[1].begun < HORIZON) {
      let smallest = Number.POSITIVE_INFINITY
      for (let i = 1; i < count - 1; i++) {
        const gap = (samples[i + 1].begun - samples[i - 1].begun) / (now - samples[i - 1].begun)
        if (gap < smallest) {
          smallest = gap
          least = i
        }
      }
    }
    const [dropped] = samples.splice(least, 1)
    samples.push(dropped)
    this.count--
  }
}

function forget(position: ReplicaPosition): void {
  position.offset = -1
  position.history = ''
  unknown(position)
}

function unknown(position: ReplicaPosition): void {
  position.passed = 0
  position.begun = Number.NEGATIVE_INFINITY
  position.passedOffset = -1
}
