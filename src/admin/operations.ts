import type { Target } from '../operator.ts'

export { OperationFailed, type Target } from '../operator.ts'

/** What an operator can do to a running process. Each resolves with a line that says what was done, or rejects with OperationFailed. */
export interface Operations {
  /**
   * Requests wait from now on, until resume(). Resolves when nothing of them is under way upstream any more, or after
   * `patience` milliseconds, with what still is.
   */
  pause(target: Target, patience: number): Promise<string>
  /** What waits goes on. */
  resume(target: Target): Promise<string>
  /** Names are resolved again, and all connections to the upstream replaced, one by one and without losing a request. */
  reconnect(upstream: string | undefined): Promise<string>
  /**
   * A planned failover by Sentinel that loses nothing: holds and drains, waits until a replica has everything, asks for the failover,
   * and goes on at the new primary. `patience` in milliseconds, for all of it.
   */
  failover(upstream: string | undefined, patience: number): Promise<string>
  /** Names of paused tenants. */
  readonly pausedTenants: readonly string[]
}
