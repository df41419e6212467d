import type { ArgView } from '../../commands/arg-view.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { AllBehind } from './behind.ts'
import { clamp } from './clamp.ts'
import { readSet } from './options.ts'
import type { Rule } from './rule.ts'
import { askedTime, type TimeForm } from './times.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/**
 * MSETEX numkeys key value … [NX | XX] [EX … | KEEPTTL], of Redis 8.4 and Valkey 9.1. Its one time is for all of its keys: where their
 * rules differ, the one that allows least counts for all. Whatever may be left without an expiry gets one behind it.
 * https://redis.io/docs/latest/commands/msetex/
 */
export class MsetexTreatment implements Treatment {
  private readonly behind = new AllBehind()

  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const args = request.view()
    const count = countOf(args)
    const options = count === undefined ? undefined : readSet(args, FIRST_KEY + 2 * count)
    if (count === undefined || options === undefined || options.at === 0)
      return this.behind.onRequest(spec, request, rules, ruling)
    const rule = strictest(request, rules, count, options.at, options.form)
    if (rule === undefined) return 'go'
    const asked = clamp(rule, spec, request, options.at, options.form, rules.now(), ruling)
    if (options.mayLeave || !(asked > 0)) this.behind.onRequest(spec, request, rules, ruling)
    return 'go'
  }
}

/** undefined: there are not as many as it says, which is an error. */
function countOf(args: ArgView): number | undefined {
  const count = args.integer(COUNT)
  return count !== undefined && count > 0 && count <= (args.length - FIRST_KEY) / 2 ? count : undefined
}

/** Of the rules of all keys the one that makes the time shortest: that a key lives too long is worse than too short. */
function strictest(
  request: PolicyRequest,
  rules: TtlRules,
  count: number,
  at: number,
  form: TimeForm,
): Rule | undefined {
  const asked = askedTime(request.view(), at, form, rules.now())
  let strictest: Rule | undefined
  let least = Number.POSITIVE_INFINITY
  for (let k = 0; k < count; k++) {
    const rule = rules.ruleOf(request, FIRST_KEY + 2 * k)
    if (rule === undefined) continue
    const time = rule.times.bound(asked)
    if (strictest !== undefined && !(time < least)) continue
    strictest = rule
    least = time
  }
  return strictest
}

const COUNT = 1
const FIRST_KEY = 2
