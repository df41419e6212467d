import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { defaultBehind, expireBehind } from './behind.ts'
import { clamp } from './clamp.ts'
import { withTime } from './edits.ts'
import { PLAIN_SET, readSet } from './options.ts'
import type { Rule } from './rule.ts'
import type { TimeForm } from './times.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/**
 * SET: one that says nothing of an expiry says `PX` then, which costs no request more and fails as one with the write. Where
 * it may leave the key as it is, what is there gets an expiry behind it.
 */
export class SetTreatment implements Treatment {
  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const options = request.argc === 3 ? PLAIN_SET : readSet(request.view())
    if (options === undefined || options.keeps) {
      defaultBehind(rule, request, KEY, ruling)
    } else if (options.at > 0) {
      const asked = clamp(rule, spec, request, options.at, options.form, rules.now(), ruling)
      if (options.mayLeave || !(asked > 0)) defaultBehind(rule, request, KEY, ruling)
    } else {
      withDefault(rule, spec, request, options.mayLeave, ruling)
    }
    return 'go'
  }
}

function withDefault(rule: Rule, spec: CommandSpec, request: PolicyRequest, mayLeave: boolean, ruling: Ruling): void {
  const time = rule.times.default
  if (time === undefined) return
  rule.defaulted++
  if (rule.dryRun) return
  ruling.edit = withTime(spec, request, time)
  if (mayLeave) expireBehind(rule, request, KEY, time, ruling)
}

/** SETEX and PSETEX: the time is argument 2. */
export class SetexTreatment implements Treatment {
  private readonly form: TimeForm

  constructor(form: TimeForm) {
    this.form = form
  }

  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const asked = clamp(rule, spec, request, 2, this.form, rules.now(), ruling)
    // It is refused, and what is there stays.
    if (!(asked > 0)) defaultBehind(rule, request, KEY, ruling)
    return 'go'
  }
}

const KEY = 1
