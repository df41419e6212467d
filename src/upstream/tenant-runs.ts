import type { Exchange } from '../commands/exchange.ts'

/** Milliseconds in which what runs as users of several tenants may be sent together: longer than most servers take to answer. */
const TOGETHER = 10

/**
 * What runs as a tenant's user (scripts, functions) on one connection, sent and unanswered. A server reads what has come on a connection
 * in one go, and sends none of the replies to that before all of it is done. So once one script is endless, nobody can tell whether it
 * is the oldest unanswered one or one behind that; SCRIPT KILL needs to. Therefore, when those of a tenant have been unanswered for
 * longer than a moment, nothing that runs as another's user is sent behind them. It would only wait in the socket.
 */
export class TenantRuns {
  /** The one that was sent last. Replies come in order, so while it is unanswered, there are some. */
  private last: Exchange | undefined = undefined
  /** Clock milliseconds: the first of them was sent. */
  private since = 0
  /** Whose they all are; undefined: of several tenants. */
  private tenant: string | undefined = undefined

  /** x may be sent now; else when something here has been answered. Runs as nobody's user in particular: always. */
  admits({ as }: Exchange, now: number): boolean {
    return this.last === undefined || as === undefined || as.name === this.tenant || now - this.since < TOGETHER
  }

  /** x, which was admitted and runs as a tenant's user, has been sent. */
  enter(x: Exchange, now: number): void {
    const name = x.as?.name
    if (this.last === undefined) {
      this.since = now
      this.tenant = name
    } else if (this.tenant !== name) this.tenant = undefined
    this.last = x
  }

  /** x is not here any more. */
  leave(x: Exchange): void {
    if (x === this.last) this.last = undefined
  }

  clear(): void {
    this.last = undefined
  }
}
