import type { Exchange } from '../commands/exchange.ts'

/** Milliseconds for which what runs as a tenant's user may be unanswered before it keeps that of others back: few servers take so long. */
const MOMENT = 10

/**
 * What runs as tenants' users (scripts, functions) on one connection, sent and unanswered. A server reads what has come on a connection
 * in one go, and sends none of the replies to that before all of it is done. So once one script is endless, nobody can tell whether it
 * is the oldest unanswered one or one behind that; SCRIPT KILL needs to. Therefore, when the oldest has been unanswered for longer than
 * a moment, nothing that runs as another's user is sent behind it. It would only wait in the socket.
 */
export class TenantRuns {
  /** When they were sent, in clock milliseconds, oldest first, from `from` on: replies come in that order. */
  private since: number[] = []
  private from = 0
  /** Whose they all are; undefined: of several tenants. */
  private tenant: string | undefined = undefined

  /** x, which runs as a tenant's user, may be sent now; else when something here has been answered. */
  admits({ as }: Exchange, now: number): boolean {
    const { from, since } = this
    return from === since.length || as?.name === this.tenant || now - since[from] < MOMENT
  }

  /** x, which was admitted, has been sent. */
  enter({ as }: Exchange, now: number): void {
    if (this.from === this.since.length) {
      this.clear()
      this.tenant = as?.name
    } else if (this.tenant !== as?.name) this.tenant = undefined
    this.since.push(now)
  }

  /** The oldest is not here any more. */
  leave(): void {
    if (this.from < this.since.length) this.from++
    // What is past goes when it is most of it: each is moved once at most.
    if (this.from < 64 || 2 * this.from < this.since.length) return
    this.since = this.since.slice(this.from)
    this.from = 0
  }

  clear(): void {
    this.since = []
    this.from = 0
  }
}
