import type { Expiries } from './expiries.ts'

/** Wants to keep the reply to a request. */
export interface Fill {
  /** The whole reply has come, as the upstream sent it: buf[start..end), valid during the call. `type`: its RESP type byte. */
  replied(type: number, buf: Buffer, start: number, end: number): void
}

/** What policies want to happen to a request that they let pass. */
export interface Effects {
  readonly fill?: Fill
  /** At most one for each key of the request. */
  readonly expiries?: Expiries
  /** One of the expiries was answered by an error. */
  readonly expiryFailed?: () => void
}
