import { Expiries } from '../../commands/expiries.ts'
import { findKeys } from '../../commands/keys.ts'
import { type CommandSpec, KeyList } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import type { Rule } from './rule.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/** Argument i, a key of this rule, gets the rule's default behind the request, if it has no expiry then. */
export function defaultBehind(rule: Rule, request: PolicyRequest, i: number, ruling: Ruling): void {
  const time = rule.times.default
  if (time === undefined) return
  rule.defaulted++
  expireBehind(rule, request, i, time, ruling)
}

/** The same with this time, in milliseconds, uncounted. */
export function expireBehind(rule: Rule, request: PolicyRequest, i: number, time: number, ruling: Ruling): void {
  if (!rule.dryRun) addExpiry(rule, request, i, time, undefined, ruling)
}

/**
 * One more key of the request: argument i; `prefix`: of another database than its own. Errors are counted by the rule of the first
 * one.
 */
export function addExpiry(
  rule: Rule,
  { buf, args }: PolicyRequest,
  i: number,
  time: number,
  prefix: Buffer | undefined,
  ruling: Ruling,
): void {
  const { effects } = ruling
  const [start, end] = [args[2 * i], args[2 * i + 1]]
  const expiries = effects?.expiries ?? new Expiries(end - start)
  expiries.add(buf, start, end, time, prefix)
  if (effects?.expiries === undefined) ruling.effects = { ...effects, expiries, expiryFailed: rule.onFailure }
}

/** For commands that write one key, at a fixed place, and say nothing of its expiry. */
export class OneBehind implements Treatment {
  private readonly at: number

  constructor(at: number) {
    this.at = at
  }

  onRequest(_spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const { at } = this
    if (at < request.argc) {
      const rule = rules.ruleOf(request, at)
      if (rule !== undefined) defaultBehind(rule, request, at, ruling)
    }
    return 'go'
  }
}

/** Of all keys, whether or not a rule matches. */
function keyBytes({ at, count }: KeyList, { args, argc }: PolicyRequest): number {
  let bytes = 0
  for (let k = 0; k < count && at[k] < argc; k++) bytes += args[2 * at[k] + 1] - args[2 * at[k]]
  return bytes
}

/** The same for those that write every key they name. */
export class AllBehind implements Treatment {
  /** Of the request at hand. */
  private readonly keys = new KeyList()

  onRequest(spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const { keys } = this
    const { args, buf } = request
    findKeys(spec, request.view(), keys)
    let expiries: Expiries | undefined
    let first: Rule | undefined
    for (let k = 0; k < keys.count && keys.at[k] < request.argc; k++) {
      const i = keys.at[k]
      const rule = rules.ruleOf(request, i)
      const time = rule?.times.default
      if (rule === undefined || time === undefined) continue
      rule.defaulted++
      if (rule.dryRun) continue
      first ??= rule
      expiries ??= new Expiries(keyBytes(keys, request))
      expiries.add(buf, args[2 * i], args[2 * i + 1], time)
    }
    if (first !== undefined) ruling.effects = { ...ruling.effects, expiries, expiryFailed: first.onFailure }
    return 'go'
  }
}
