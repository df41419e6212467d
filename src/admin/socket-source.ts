import type { Operations } from './operations.ts'

/** The process, as the admin socket asks it. */
export interface SocketSource {
  readonly operations: Operations
  /** How it is, in lines for people. */
  status(): string
  /** Its rate limits, in lines for people; of this tenant only, or of all. */
  limits(tenant: string | undefined): string
  /** What the configuration of the day has. */
  tenants(): readonly string[]
  upstreams(): readonly string[]
}
