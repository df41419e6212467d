import type { Expiry } from '../commands/expiries.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { type CommandSpec, FLAG } from '../commands/spec.ts'
import { formatDuration } from '../config/units.ts'
import { type Edit, type PolicyEnv, type PolicyRequest, Ruling } from '../policies/policy.ts'
import { Ttl } from '../policies/ttl/ttl.ts'
import type { TtlView } from '../policies/ttl/ttl-view.ts'
import { Session } from '../session/session.ts'
import type { Tenant, TtlRule } from '../session/tenant.ts'

/** What rules on times to live make of a request, as long as chance does not shorten anything. */
export interface TtlExplained {
  /** One text for each rule that has to do with it. */
  readonly texts: readonly string[]
  /** It is answered this instead of being sent. */
  readonly answer: Buffer | undefined
  /** This is sent instead. */
  readonly edit: Edit | undefined
  /** Keys that get a time behind it. */
  readonly expiries: readonly Expiry[]
}

/** Asks the policy itself: once as it is, and once as if nothing were a dry run, to see what each rule would do. */
export function explainTtl(
  table: CommandTable,
  spec: CommandSpec,
  request: PolicyRequest,
  tenant: Tenant,
): TtlExplained {
  const { ruling } = ask(table, spec, request, tenant)
  const ttl = tenant.ttl.map((rule): TtlRule => ({ ...rule, dryRun: false }))
  const { views } = ask(table, spec, request, { ...tenant, ttl })
  const texts = views.flatMap((view, i) => ruleText(tenant.ttl[i], view))
  const writes = tenant.ttl.length > 0 && (spec.flags & FLAG.WRITE) !== 0 && spec.firstKey !== 0
  return {
    texts: texts.length === 0 && writes ? ['nothing: no rule has anything to do here'] : texts,
    answer: ruling.answer,
    edit: ruling.edit,
    expiries: [...(ruling.effects?.expiries ?? [])],
  }
}

function ask(table: CommandTable, spec: CommandSpec, request: PolicyRequest, tenant: Tenant) {
  const ruling = new Ruling()
  const policy = new Ttl({ table }, Date.now, () => 0)
  const opened = policy.open(tenant, { table } as Partial<PolicyEnv> as PolicyEnv, undefined)
  const login = { anonymous: { tenant, user: 'default' }, login: () => undefined }
  const session = new Session(0, 0, { address: '', localAddress: '' }, login)
  opened?.enter(session).onRequest(spec, request, ruling)
  return { ruling, views: policy.view() }
}

/** What this rule does, by what it has counted; nothing, if it has not. */
function ruleText(
  rule: TtlRule,
  { defaulted, clampedMax, clampedMin, persistDenied, persistClamped }: TtlView,
): string[] {
  const { jitter, dryRun } = rule
  const [longest, shortest] = [formatted(rule.max), formatted(rule.min)]
  const does = [
    clampedMax > 0 ? `at most ${longest}` : '',
    clampedMin > 0 ? `at least ${shortest}` : '',
    persistDenied > 0 ? 'the key keeps its expiry' : '',
    persistClamped > 0 ? `${formatted(rule.default ?? rule.max)} for a key that would have no expiry` : '',
    defaulted > 0 ? `${formatted(rule.default)} for a key that has no expiry` : '',
  ].filter((text) => text !== '')
  if (does.length === 0) return []
  const atRandom = jitter > 0 && defaulted + clampedMax + persistClamped > 0
  const less = atRandom ? `, less up to ${Math.round(100 * jitter)}% at random` : ''
  return [`${rule.keys}: ${does.join(', ')}${less}${dryRun ? '; dryRun: only counted' : ''}`]
}

function formatted(time: number | undefined): string {
  return time === undefined ? '' : formatDuration(time)
}
