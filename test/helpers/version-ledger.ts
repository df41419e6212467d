/** Values are versions: whole numbers, one for each write of a key, in the order in which Redis executed them. */
export class VersionLedger {
  /** What was told that should not have been. */
  readonly wrong: string[] = []
  reads = 0
  /** Reads that told less than an earlier read of the same connection. */
  wentBack = 0
  /** By key: the versions that were known to be written, each with the moment since when, both rising. */
  private readonly known = new Map<string, { at: number[]; version: number[] }>()
  /** By key: the newest version that was acknowledged through each process. */
  private readonly through = new Map<string, number[]>()
  /** Milliseconds for which what was told had been replaced when it was asked for, as far as is known; 0s left out. */
  private readonly late: number[] = []

  /** A write was acknowledged. `process`: the number of the Keyward through which it went; undefined: none. */
  written(key: string, version: number, process: number | undefined): void {
    const log = this.known.get(key) ?? { at: [], version: [] }
    this.known.set(key, log)
    if (version > (log.version.at(-1) ?? 0)) {
      log.version.push(version)
      log.at.push(performance.now())
    }
    if (process === undefined) return
    const newest = this.through.get(key) ?? []
    this.through.set(key, newest)
    newest[process] = Math.max(newest[process] ?? 0, version)
  }

  /** The newest version of a key that was acknowledged through this process by now. */
  floor(key: string, process: number): number {
    return this.through.get(key)?.[process] ?? 0
  }

  /**
   * A read was asked for at `asked`, when `floor` was the process', and told `version`. `own`: the newest version that its
   * connection had written then. It must not be older than these, nor than what was there `bound` milliseconds before.
   */
  told(read: {
    readonly what: string
    readonly key: string
    readonly version: number
    readonly asked: number
    readonly floor: number
    readonly own: number
    readonly bound: number
  }): void {
    const { what, key, version, asked, floor, own, bound } = read
    this.reads++
    const log = this.known.get(key)
    const replaced =
      log === undefined
        ? Number.POSITIVE_INFINITY
        : (log.at[firstAbove(log.version, version)] ?? Number.POSITIVE_INFINITY)
    const late = asked - replaced
    if (late > 0) this.late.push(late)
    const complain = (why: string) => {
      if (this.wrong.length < 20) this.wrong.push(`${what} of ${key} told ${version}, ${why}`)
    }
    if (!(version >= own)) complain(`its own connection had written ${own}`)
    else if (!(version >= floor)) complain(`${floor} was acknowledged through the same process`)
    if (late > bound) complain(`which had been replaced for ${late.toFixed(0)} ms`)
  }

  /** Of all reads, in milliseconds. */
  get staleness(): { p99: number; max: number; share: number } {
    const sorted = this.late.sort((a, b) => a - b)
    const fresh = this.reads - sorted.length
    const at = Math.ceil(this.reads * 0.99) - 1 - fresh
    return { p99: sorted[at] ?? 0, max: sorted.at(-1) ?? 0, share: sorted.length / Math.max(1, this.reads) }
  }
}

/** The index of the first of these rising numbers that is above `limit`. */
function firstAbove(numbers: readonly number[], limit: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle] > limit) high = middle
    else low = middle + 1
  }
  return low
}
