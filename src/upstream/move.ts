import type { FactsLog } from './server-facts.ts'

/** What is known of a move to another primary, and whether it lost anything. */
export class Moves {
  /** Since the start. */
  count = 0
  /** Moves after which the new primary lacked something that the old one had acknowledged to us. */
  lossy = 0
  /** Moves of which that is not known: nobody had time to drain the old one. */
  unproven = 0
  /** Milliseconds from the first sign of the newest failover, or its move, until the new primary could be used. */
  took = 0
  private underWay: { readonly offset: number | undefined; readonly since: number } | undefined = undefined
  private readonly upstream: string
  private readonly log: FactsLog

  constructor(upstream: string, log: FactsLog) {
    this.upstream = upstream
    this.log = log
  }

  /** The next connection will be at another server. `offset`: what the old one had executed when it was drained. `since`: clock time. */
  begin(offset: number | undefined, since: number): void {
    this.count++
    this.underWay = { offset, since }
  }

  /** A name led to another primary: nobody drained the old one. */
  byName(): void {
    this.count++
    this.unproven++
  }

  /**
   * The new primary's INFO. True: it provably has all that was acknowledged. It was a replica up to `second_repl_offset`,
   * so that one is the drained offset + 1, or more when others wrote too (s13).
   */
  proves(info: ReadonlyMap<string, string>): boolean {
    const offset = this.underWay?.offset
    const second = Number(info.get('second_repl_offset') ?? -1)
    return offset !== undefined && second > offset
  }

  /** The new primary can be used. `now`: clock time. */
  arrived(info: ReadonlyMap<string, string>, now: number): void {
    const move = this.underWay
    if (move === undefined) return
    const proven = this.proves(info)
    this.underWay = undefined
    this.took = now - move.since
    const fields = { upstream: this.upstream, took: Math.round(this.took), drained: move.offset }
    if (move.offset === undefined) {
      this.unproven++
      this.log.info(
        fields,
        'at the new primary; whether the last writes reached it is not known, the old one was not drained',
      )
    } else if (proven) {
      this.log.info({ ...fields, promotedAt: info.get('second_repl_offset') }, 'at the new primary: nothing was lost')
    } else {
      this.lossy++
      const promotedAt = Number(info.get('second_repl_offset') ?? -1)
      const bytes = promotedAt > 0 ? move.offset + 1 - promotedAt : undefined
      this.log.warn(
        { ...fields, promotedAt, bytes },
        'at the new primary: WRITES WERE LOST, it was promoted before it had them',
      )
    }
  }
}
