import type { TtlRule } from '../../session/tenant.ts'
import { compileKeys, type KeyPart } from '../key-part.ts'
import { RuleTimes } from './times.ts'

/** One rule of one tenant at work, and what it has done; see TtlView for the counters. */
export class Rule {
  readonly options: TtlRule
  readonly pattern: KeyPart
  readonly times: RuleTimes
  /** It only counts. */
  readonly dryRun: boolean
  defaulted = 0
  clampedMax = 0
  clampedMin = 0
  persistDenied = 0
  persistClamped = 0
  failed = 0
  /** For Effects; made once, not for each request. */
  readonly onFailure = (): void => {
    this.failed++
  }

  /** `random`: like Math.random. */
  constructor(options: TtlRule, random: () => number) {
    this.options = options
    this.pattern = compileKeys(options.keys)
    this.times = new RuleTimes(options, random)
    this.dryRun = options.dryRun
  }
}
