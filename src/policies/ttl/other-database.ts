import type { ArgView } from '../../commands/arg-view.ts'
import { isOption } from '../../commands/option-word.ts'
import { databaseNumber } from '../../commands/quirks/database-number.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { databaseCount, keyPrefix, type Tenant } from '../../session/tenant.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { addExpiry, defaultBehind } from './behind.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/** COPY source destination [DB db] [REPLACE]: the source is only read. */
export class CopyTreatment implements Treatment {
  onRequest(_spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const at = lastDatabase(request.view())
    // A syntax error, which Keyward answers itself.
    if (at < 0) return 'go'
    if (at > 0) defaultIn(at, 2, request, rules, ruling)
    else {
      const rule = rules.ruleOf(request, 2)
      if (rule !== undefined) defaultBehind(rule, request, 2, ruling)
    }
    return 'go'
  }
}

/** The argument behind the last DB, which counts; 0: there is none; -1: the options are not those of COPY. */
function lastDatabase(args: ArgView): number {
  let found = 0
  for (let i = 3; i < args.length; i++) {
    if (isOption(args, i, 'REPLACE')) continue
    if (i + 1 === args.length || !isOption(args, i, 'DB')) return -1
    found = ++i
  }
  return found
}

/** MOVE key db: where something has its name there already, it stays where it is. */
export class MoveTreatment implements Treatment {
  onRequest(_spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const rule = rules.ruleOf(request, 1)
    if (rule === undefined) return 'go'
    defaultBehind(rule, request, 1, ruling)
    defaultIn(2, 1, request, rules, ruling)
    return 'go'
  }
}

/** Key `at` gets the default in the database whose number is argument `dbAt`. */
function defaultIn(dbAt: number, at: number, request: PolicyRequest, rules: TtlRules, ruling: Ruling): void {
  const { tenant } = rules
  const prefix = prefixOf(tenant, request.view(), dbAt)
  const rule = prefix === undefined ? undefined : rules.ruleOf(request, at)
  const time = rule?.times.default
  if (rule === undefined || time === undefined) return
  rule.defaulted++
  if (!rule.dryRun) addExpiry(rule, request, at, time, prefix, ruling)
}

/** undefined: the tenant has no such database, and is told so. */
function prefixOf(tenant: Tenant, args: ArgView, at: number): Buffer | undefined {
  const db = databaseNumber(args, at)
  return typeof db === 'number' && db >= 0 && db < databaseCount(tenant) ? keyPrefix(tenant, db) : undefined
}
