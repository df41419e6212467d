/** One rule of a tenant's times to live, in this process, since it was configured. */
export interface TtlView {
  readonly tenant: string
  /** As the configuration has it. */
  readonly keys: string
  readonly dryRun: boolean
  /**
   * Writes to keys that `default` was sent for, whether or not they had a time already. With `dryRun`, these counters are of
   * what would have been done.
   */
  readonly defaulted: number
  /** Times that clients asked for: above `max`, and below `min`. */
  readonly clampedMax: number
  readonly clampedMin: number
  /** PERSIST, and GETEX PERSIST: refused, or followed by the time of the rule. */
  readonly persistDenied: number
  readonly persistClamped: number
  /** Times that the upstream refused to set. */
  readonly failed: number
}
