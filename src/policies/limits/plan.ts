import type { KeyPart } from '../key-part.ts'
import type { Rule } from './rule.ts'

/** A rule that counts a command. */
export interface Counted {
  readonly rule: Rule
  /** The place of the rule among its tenant's. */
  readonly at: number
  /** Tokens; of a rule in bytes, the bytes of the request instead. */
  readonly cost: number
}

/** A rule that counts a command if a key of it matches. */
export interface CountedByKey extends Counted {
  readonly pattern: KeyPart
}

/** What the rules of a tenant make of one command. */
export interface Plan {
  /** Small and dense: commands with the same metered rules share one. */
  readonly index: number
  /** Whatever the keys are. */
  readonly always: readonly Counted[]
  /** Those that look at keys. */
  readonly byKey: readonly CountedByKey[]
  /** Of `always`, those that charge replies. */
  readonly metered: readonly Counted[]
}
