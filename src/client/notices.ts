import { ERRORS, type ErrorCode } from '../errors.ts'

const MINUTE = 60_000
const MOST_ENTRIES = 10_000

export interface NoticeLog {
  warn(fields: object, text: string): void
}

/**
 * What the operator should know of single clients, in the log at most once a minute for each tenant and matter: the
 * reply is Redis' own and holds no cure. Remembers at most 10,000 matters; past that it starts over.
 */
export class Notices {
  private readonly log: NoticeLog
  private readonly saidAt = new Map<string, number>()

  constructor(log: NoticeLog) {
    this.log = log
  }

  /** A command that is not open was refused. `now`: clock milliseconds. */
  refused(tenant: string, command: string, reason: string, now: number): void {
    if (!this.due(`${tenant} ${command}`, now)) return
    const explain = `see: keyward explain ${command.replace('|', ' ')}`
    this.log.warn({ tenant, command, reason }, `${command.toUpperCase()} refused: ${reason}; ${explain}`)
  }

  /** A request of this command was not executed, for a reason that has to do with what was to follow it. */
  declined(tenant: string, command: string, code: ErrorCode, now: number): void {
    if (!this.due(`${tenant} !${code}`, now)) return
    const { when, cure } = ERRORS[code]
    this.log.warn({ tenant, command, code }, `${command.toUpperCase()} refused: ${when}; ${cure}`)
  }

  /** A client was closed because of a limit. */
  cut(tenant: string, address: string, code: ErrorCode, now: number): void {
    if (!this.due(`${tenant} !${code}`, now)) return
    this.log.warn({ tenant, address, code }, `client closed: ${ERRORS[code].when}; ${ERRORS[code].cure}`)
  }

  private due(matter: string, now: number): boolean {
    const last = this.saidAt.get(matter)
    if (last !== undefined && now - last < MINUTE) return false
    if (this.saidAt.size >= MOST_ENTRIES) this.saidAt.clear()
    this.saidAt.set(matter, now)
    return true
  }
}
