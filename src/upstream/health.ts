import { concerns, type HealthReport } from './health-report.ts'

/** For /readyz, metrics and the admin API. */
export interface HealthView {
  /** A probe has succeeded lately, and the server is not loading. */
  readonly ok: boolean
  /** Why not, or why the newest probe failed; empty when all is well. */
  readonly reason: string
  /** Milliseconds since the newest good probe; undefined: there was none yet. */
  readonly age: number | undefined
  /** Probes that failed, since the start. */
  readonly failures: number
  /** What the newest good probe found. */
  readonly report: HealthReport | undefined
  /** Of the report, what a person should know of. */
  readonly concerns: readonly string[]
}

/**
 * What probes of one server have found. One that fails does not yet make the server bad, since a probe waits behind
 * slow commands like everybody; `patience` without a good one does.
 */
export class Health {
  /** Of the newest good probe. */
  report: HealthReport | undefined
  private readonly patience: number
  private lastGood = Number.NEGATIVE_INFINITY
  private failure = ''
  private failures = 0

  /** `patience`: milliseconds. */
  constructor(patience: number) {
    this.patience = patience
  }

  /** A probe was answered; `report.at` is when it was asked. */
  succeeded(report: HealthReport): void {
    this.report = report
    this.lastGood = report.at
    this.failure = ''
  }

  /** A probe failed. `why`: for people, without secrets. */
  failed(why: string): void {
    this.failure = why
    this.failures++
  }

  /** It is another server from now on: what is known is of the old one. */
  reset(): void {
    this.report = undefined
    this.lastGood = Number.NEGATIVE_INFINITY
    this.failure = ''
  }

  /** `now`: clock milliseconds. */
  ok(now: number): boolean {
    return now - this.lastGood <= this.patience && this.report?.persistence.loading !== true
  }

  /** Why it is not ok, or why the newest probe failed; empty when all is well. `now`: clock milliseconds. */
  reason(now: number): string {
    if (this.report === undefined) return this.failure === '' ? 'not probed yet' : this.failure
    if (this.failure !== '') return this.failure
    if (this.report.persistence.loading) return 'it is loading its data'
    if (now - this.lastGood > this.patience) return `no probe for ${Math.round((now - this.lastGood) / 1000)} s`
    return ''
  }

  /** `now`: clock milliseconds. */
  view(now: number): HealthView {
    const { report } = this
    return {
      ok: this.ok(now),
      reason: this.reason(now),
      age: report === undefined ? undefined : now - this.lastGood,
      failures: this.failures,
      report,
      concerns: report === undefined ? [] : concerns(report),
    }
  }
}
