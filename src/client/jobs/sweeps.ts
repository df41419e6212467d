/**
 * One sweep of a tenant at a time: whoever comes while one runs waits for its end. Limit: a client has one job, so
 * there are no more waiters than clients.
 */
export class Sweeps {
  private readonly last = new Map<number, Promise<unknown>>()

  /** Runs `sweep` when the tenant's earlier ones have ended. */
  run<T>(tenantIndex: number, sweep: () => Promise<T>): Promise<T> {
    const before = this.last.get(tenantIndex) ?? Promise.resolve()
    const mine = before.then(sweep, sweep)
    this.last.set(tenantIndex, mine)
    const done = () => {
      if (this.last.get(tenantIndex) === mine) this.last.delete(tenantIndex)
    }
    mine.then(done, done)
    return mine
  }
}
