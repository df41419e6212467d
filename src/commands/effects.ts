/** Wants to keep the reply to a request. */
export interface Fill {
  /** The whole reply has come, as the upstream sent it: buf[start..end), valid during the call. `type`: its RESP type byte. */
  replied(type: number, buf: Buffer, start: number, end: number): void
}

/** A key, without the tenant's prefix, that gets a time to live behind a request if it has none. */
export interface Expiry {
  readonly key: Buffer
  /** Milliseconds. */
  readonly time: number
  /** In front of its raw key; absent: what is in front of the keys of the request. For COPY and MOVE to another database. */
  readonly prefix?: Buffer
}

/** What policies want to happen to a request that they let pass. */
export interface Effects {
  readonly fill?: Fill
  /** At most one for each key of the request. */
  readonly expiries?: readonly Expiry[]
  /** One of the expiries was answered by an error. */
  readonly expiryFailed?: () => void
}
