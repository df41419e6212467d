import type { Offers } from './offers.ts'

/** What local answers may know of a tenant's upstream server. */
export interface UpstreamFacts {
  /** As INFO says; '7.0.0' before the first connection. */
  readonly redisVersion: string
  /** The upstream speaks RESP3. */
  readonly resp3: boolean
  readonly usable: boolean
  /** Seconds since the epoch, from INFO persistence; the start of the process before that is known. */
  readonly lastSave: number
  /** Fields of the upstream's INFO, by name; empty before the first connection. */
  readonly info: ReadonlyMap<string, string>
  /** Its commands; undefined: not known yet, or not to be known. */
  readonly offers?: Offers
}
