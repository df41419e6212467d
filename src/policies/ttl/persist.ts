import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { defaultBehind, expireBehind } from './behind.ts'
import { clamp } from './clamp.ts'
import { firstArguments } from './edits.ts'
import { readGetex } from './options.ts'
import type { Rule } from './rule.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/** PERSIST: `deny` answers what it answers for a key that has no expiry to lose. */
export class PersistTreatment implements Treatment {
  onRequest(_spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const { persist } = rule.options
    if (persist === 'clamp') clampPersist(rule, request, ruling)
    if (persist !== 'deny') return 'go'
    rule.persistDenied++
    if (rule.dryRun) return 'go'
    ruling.answer = NOTHING_DONE
    return 'reply'
  }
}

/** GETEX: the time is clamped, PERSIST is up to the rule. Without either, or for another type, it leaves the key as it is. */
export class GetexTreatment implements Treatment {
  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, KEY)
    if (rule === undefined) return 'go'
    const options = readGetex(request.view())
    if (options?.persist === true) {
      persistBy(rule, spec, request, ruling)
      return 'go'
    }
    if (options !== undefined && options.at > 0)
      clamp(rule, spec, request, options.at, options.form, rules.now(), ruling)
    defaultBehind(rule, request, KEY, ruling)
    return 'go'
  }
}

/** GETEX key PERSIST. */
function persistBy(rule: Rule, spec: CommandSpec, request: PolicyRequest, ruling: Ruling): void {
  const { persist } = rule.options
  if (persist === 'clamp') clampPersist(rule, request, ruling)
  if (persist !== 'deny') return
  rule.persistDenied++
  if (!rule.dryRun) ruling.edit = firstArguments(spec, request, 2)
  defaultBehind(rule, request, KEY, ruling)
}

function clampPersist(rule: Rule, request: PolicyRequest, ruling: Ruling): void {
  const time = rule.times.instead
  if (time === undefined) return
  rule.persistClamped++
  expireBehind(rule, request, KEY, time, ruling)
}

const KEY = 1
const NOTHING_DONE = Buffer.from(':0\r\n')
