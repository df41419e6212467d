const MINUTE = 60_000
const MOST_ENTRIES = 10_000

/**
 * Says in the log why a command was refused, once per tenant, command and minute: the reply is Redis' own and holds
 * no cure. Remembers at most 10,000 pairs; past that it starts over.
 */
export class RefusalLog {
  private readonly log: { warn(fields: object, text: string): void }
  private readonly saidAt = new Map<string, number>()

  constructor(log: { warn(fields: object, text: string): void }) {
    this.log = log
  }

  note(tenant: string, command: string, reason: string, now: number): void {
    const key = `${tenant} ${command}`
    const last = this.saidAt.get(key)
    if (last !== undefined && now - last < MINUTE) return
    if (this.saidAt.size >= MOST_ENTRIES) this.saidAt.clear()
    this.saidAt.set(key, now)
    this.log.warn(
      { tenant, command, reason },
      `${command.toUpperCase()} refused: ${reason}; see: keyward explain ${command.replace('|', ' ')}`,
    )
  }
}
