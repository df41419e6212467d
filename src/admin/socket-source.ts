import type { Operations } from './operations.ts'

/** The process, as the admin socket asks it. */
export interface SocketSource {
  readonly operations: Operations
  /** How it is, in lines for people. */
  status(): string
  /** What the configuration of the day has. */
  tenants(): readonly string[]
  upstreams(): readonly string[]
}
