import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { defaultBehind } from './behind.ts'
import { clamp } from './clamp.ts'
import type { TimeForm } from './times.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/**
 * EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT: the time is argument 2 whatever the options are. With options, or with a time that is
 * none, it may leave the key without an expiry; a time that is over deletes it.
 */
export class ExpireTreatment implements Treatment {
  private readonly form: TimeForm

  constructor(form: TimeForm) {
    this.form = form
  }

  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const asked = clamp(rule, spec, request, 2, this.form, rules.now(), ruling)
    if (request.argc > 3 || Number.isNaN(asked)) defaultBehind(rule, request, KEY, ruling)
    return 'go'
  }
}

const KEY = 1
