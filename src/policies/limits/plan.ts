import type { CommandSpec, KeyList } from '../../commands/spec.ts'
import type { Asking } from './asking.ts'
import type { LimiterTime } from './limiter-time.ts'
import type { Rule } from './rule.ts'
import type { Run } from './run.ts'

/** A rule that counts a command. */
export interface Counted {
  readonly rule: Rule
  /** The place of the rule among its tenant's. */
  readonly at: number
  /** Tokens; of a rule in bytes, the bytes of the request instead. */
  readonly cost: number
}

/** What the rules of a tenant make of one command. */
export interface Plan {
  /** Small and dense: commands with the same metered rules share one. */
  readonly index: number
  /** Whatever the keys are. */
  readonly always: readonly Counted[]
  /** Those that look at keys. */
  readonly byKey: readonly Counted[]
  /** Of `always`, those that charge replies. */
  readonly metered: readonly Counted[]
}

/** The limits of a tenant, as its clients need them. */
export interface Planned {
  readonly rules: readonly Rule[]
  readonly time: LimiterTime
  readonly asking: Asking
  /** Requests that have passed and are not counted yet. */
  readonly run: Run
  /** Of the request at hand. */
  readonly keys: KeyList
  planOf(spec: CommandSpec): Plan
}
