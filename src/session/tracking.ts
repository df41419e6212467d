/** CLIENT TRACKING as one client has turned it on; https://redis.io/docs/latest/commands/client-tracking/ */
export interface Tracking {
  readonly bcast: boolean
  readonly optin: boolean
  readonly optout: boolean
  readonly noloop: boolean
  /** The id of the client that is told; 0: the client itself. */
  readonly redirect: number
  /** Of BCAST: which keys it is told of, by the tenant's own names, in the order of their bytes. */
  readonly prefixes: readonly Buffer[]
  /** CLIENT CACHING was said, for the next request or the next transaction. */
  caching: boolean
  /** The client of `redirect` was gone when it was to be told. */
  broken: boolean
}
