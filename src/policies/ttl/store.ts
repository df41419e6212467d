import type { ArgView } from '../../commands/arg-view.ts'
import { isOption } from '../../commands/option-word.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling, Verdict } from '../policy.ts'
import { defaultBehind } from './behind.ts'
import type { Treatment, TtlRules } from './treatment.ts'

/** The options of a command that takes STORE, by how many arguments follow each; those that are not here have none. */
export interface StoreOptions {
  /** Argument from which on there are options. */
  readonly from: number
  readonly store: readonly string[]
  readonly arguments: readonly (readonly [word: string, count: number])[]
}

/** https://redis.io/docs/latest/commands/sort/ */
export const SORT: StoreOptions = {
  from: 2,
  store: ['STORE'],
  arguments: [
    ['LIMIT', 2],
    ['BY', 1],
    ['GET', 1],
  ],
}

/** https://redis.io/docs/latest/commands/georadius/ */
export const GEORADIUS: StoreOptions = { from: 6, store: ['STORE', 'STOREDIST'], arguments: [['COUNT', 1]] }
export const GEORADIUSBYMEMBER: StoreOptions = { ...GEORADIUS, from: 5 }

/** Commands that only read, unless they are told where to store what they found. */
export class StoreTreatment implements Treatment {
  private readonly options: StoreOptions

  constructor(options: StoreOptions) {
    this.options = options
  }

  onRequest(_spec: CommandSpec, request: PolicyRequest, rules: TtlRules, ruling: Ruling): Verdict {
    const at = destination(request.view(), this.options)
    const rule = at === 0 ? undefined : rules.ruleOf(request, at)
    if (rule !== undefined) defaultBehind(rule, request, at, ruling)
    return 'go'
  }
}

/** The argument behind the last STORE, which is the one that counts; 0: there is none. */
function destination(args: ArgView, options: StoreOptions): number {
  let found = 0
  for (let i = options.from; i < args.length; i++) {
    const more = args.length - i - 1
    if (more > 0 && options.store.some((word) => isOption(args, i, word))) found = ++i
    else i += options.arguments.find(([word, count]) => more >= count && isOption(args, i, word))?.[1] ?? 0
  }
  return found
}
