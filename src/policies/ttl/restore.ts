import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { defaultBehind, expireBehind } from './behind.ts'
import { clamp } from './clamp.ts'
import { withArgument } from './edits.ts'
import { readRestore } from './options.ts'
import type { Rule } from './rule.ts'
import type { TimeForm } from './times.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/**
 * RESTORE: a time to live of 0 is none, and becomes the default; all others are clamped. It may be refused for many reasons,
 * and what is there then gets the default behind it.
 */
export class RestoreTreatment implements Treatment {
  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const args = request.view()
    const form = readRestore(args)
    if (form !== undefined && args.integer(TTL) === 0) {
      withDefault(rule, spec, request, form, rules.now(), ruling)
      return 'go'
    }
    if (form !== undefined) clamp(rule, spec, request, TTL, form, rules.now(), ruling)
    defaultBehind(rule, request, KEY, ruling)
    return 'go'
  }
}

function withDefault(
  rule: Rule,
  spec: CommandSpec,
  request: PolicyRequest,
  form: TimeForm,
  now: number,
  ruling: Ruling,
): void {
  const time = rule.times.default
  if (time === undefined) return
  rule.defaulted++
  if (rule.dryRun) return
  ruling.edit = withArgument(spec, request, TTL, `${rule.times.written(time, form, now)}`)
  expireBehind(rule, request, KEY, time, ruling)
}

const KEY = 1
const TTL = 2
