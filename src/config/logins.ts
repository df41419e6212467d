import type { ListenerOptions } from '../client/options.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Path, Report } from './problem.ts'

/** Users that could be taken for each other, and users that nobody could ever be. */
export function checkLogins(
  tenants: readonly Tenant[],
  listeners: readonly (ListenerOptions | undefined)[],
  report: Report,
): void {
  if (listeners.some((listener) => listener !== undefined && listener.tenant === undefined)) {
    checkConfusion(tenants, report)
  }
  // A listener whose address is wrong was left out; who could come in there is not known.
  if (listeners.includes(undefined)) return
  const open = new Set(listeners.map((listener) => (listener?.login === 'optional' ? listener.tenant : undefined)))
  for (const tenant of tenants) {
    for (const user of tenant.users.values()) {
      if (user.digest !== undefined) continue
      const path: Path = ['tenants', tenant.name, 'users', user.name, 'password']
      if (user.name !== 'default') {
        report.add(
          path,
          `user ${user.name} has no password and can never log in`,
          'give the user a password; only `default` may go without',
        )
      } else if (!open.has(tenant.name)) {
        report.add(
          path,
          'the user default has no password, and no listener lets it in without one',
          `give it a password, or have a listener with tenant: ${tenant.name} and login: optional`,
        )
      }
    }
  }
}

/**
 * On a listener without `tenant`, name and password alone say who somebody is: no two users may have both in common.
 */
function checkConfusion(tenants: readonly Tenant[], report: Report): void {
  const seen = new Map<string, string>()
  for (const tenant of tenants) {
    for (const user of tenant.users.values()) {
      if (user.digest === undefined) continue
      const key = `${user.name} ${user.digest.toString('hex')}`
      const before = seen.get(key)
      if (before === undefined) seen.set(key, tenant.name)
      else {
        report.add(
          ['tenants', tenant.name, 'users', user.name, 'password'],
          `user ${user.name} of tenant ${before} has the same password, and a listener without \`tenant\` could not tell the two apart`,
          'give them different passwords, or every listener a tenant',
        )
      }
    }
  }
}
