import type { Tenant } from '../session/tenant.ts'
import type { CommandTable } from './lookup.ts'
import type { Offers } from './offers.ts'
import type { CommandSpec } from './spec.ts'

/** May this tenant run it? `offers`: what its upstream has; undefined: not known yet, or not to be known. */
export function isOpenTo(spec: CommandSpec, tenant: Tenant, offers: Offers | undefined): boolean {
  return isOpenByReview(spec, tenant) && isThere(spec, offers)
}

/**
 * A newer command is sent, as long as nobody knows better, with its keys where the table has them: the server says what it makes of
 * it. A module's is not: where its keys are, only that server can say.
 */
function isThere(spec: CommandSpec, offers: Offers | undefined): boolean {
  if (spec.presence === 'always') return true
  return offers === undefined ? spec.presence === 'newer' : offers.has(spec)
}

/** Whether its upstream has it or not. */
export function isOpenByReview(spec: CommandSpec, tenant: Tenant): boolean {
  if (tenant.cache !== undefined && EXPIRES_FIELDS.has(spec.name)) return false
  switch (spec.open) {
    case 'tenant':
      return true
    case 'script':
      return tenant.scripts === 'allow'
    case 'function':
      return tenant.prefix === '' || tenant.functions === 'trusted'
    case 'passthrough':
      return tenant.prefix === ''
    case 'extension':
      return spec.extension !== undefined && tenant.extensions.has(spec.extension)
    case 'refused':
      return false
  }
}

/**
 * They give fields of a hash an expiry of their own. The near cache keeps replies with such fields in them, and there is no command
 * that says when the first one ends.
 */
export const EXPIRES_FIELDS: ReadonlySet<string> = new Set([
  'hexpire',
  'hexpireat',
  'hgetex',
  'hpexpire',
  'hpexpireat',
  'hsetex',
])

/** Why a command is not open to this tenant, for the log and `keyward explain`. */
export function refusalOf(spec: CommandSpec, tenant: Tenant | undefined): string {
  if (spec.refusal !== '') return spec.refusal
  if (tenant?.cache !== undefined && EXPIRES_FIELDS.has(spec.name))
    return 'the tenant has a near cache, which would keep fields past their expiry'
  return 'the upstream does not have it, or not with its keys where they were reviewed'
}

/**
 * Scripts of tenants may use the command of this name: it, or one of its subcommands, is open to tenants by review, and the upstream
 * has it so. A wall checks keys by what the server knows of a command, and of a module's that is what the module said.
 */
export function isReviewed(table: CommandTable, name: string, offers: Offers | undefined): boolean {
  const spec = table.byName(name)
  if (spec === undefined || !isThere(spec, offers)) return false
  return spec.open === 'tenant' || spec.open === 'script'
}
