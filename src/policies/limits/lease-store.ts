/** One bucket for which a process wants tokens, or gives some back. */
export interface LeaseAsk {
  /** `<tenant>:<rule>` or `<tenant>:<rule>:<name of the bucket>`, as latin1 text; unique among all rules. */
  readonly key: string
  /** Tokens per millisecond. */
  readonly rate: number
  readonly burst: number
  /** Whole tokens wanted, 0 or more. */
  readonly want: number
  /** Tokens given back, granted earlier and not used. */
  readonly back: number
  /** Tokens that the bucket has at most, as far as is known here: should it be lost, it must not be full again. */
  readonly most: number
}

export interface LeaseGrant {
  /** Whole tokens, at most `want`. */
  readonly granted: number
  /** Tokens that the bucket has left. */
  readonly left: number
}

/** Where the tokens of global rules are kept: the backing Redis. upstream/ has it, proxy.ts brings both together. */
export interface LeaseStore {
  /** One call, all or nothing as far as the caller can tell: rejects when it fails or its outcome is not known. */
  lease(asks: readonly LeaseAsk[]): Promise<readonly LeaseGrant[]>
}
