/** One rate limit as operators see it: what it is, and counters since the start. Tokens are operations or bytes. */
export interface LimitView {
  readonly tenant: string
  readonly rule: string
  readonly per: 'tenant' | 'user' | 'address' | 'match'
  readonly scope: 'local' | 'global'
  readonly action: 'reject' | 'delay' | 'shadow'
  readonly unit: 'operations' | 'bytes'
  /** As the configuration has it: "6000/m". */
  readonly rate: string
  /** Requests, by what became of them. `shadowed`: they went on, and would not have. */
  readonly allowed: number
  readonly delayed: number
  readonly rejected: number
  readonly shadowed: number
  /** Requests in the place `delayed` because of it, now. */
  readonly waiting: number
  /** What is left in the one bucket of `per: tenant`, below 0 is owed; undefined: it has many. */
  readonly tokens: number | undefined
  /** In this process: buckets there are, the most there may be, and names that found no room. */
  readonly buckets: number
  readonly mostBuckets: number
  readonly overflows: number
  /** Tokens leased so far; 0 for `scope: local`. */
  readonly grants: number
  /** Leases cannot be had now. */
  readonly failing: boolean
  /**
   * Names that were rejected most, or would have been, the most first. Made when it is read: most who read a view do not want it. `over`: by so many
   * `count` may be too high.
   */
  readonly offenders: readonly Offender[]
}

/** `name` is what a client sent, or where it came from: not to be printed as it is. */
export interface Offender {
  readonly name: string
  readonly count: number
  readonly over: number
}
