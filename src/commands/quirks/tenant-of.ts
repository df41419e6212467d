import type { Session } from '../../session/session.ts'
import type { Tenant } from '../../session/tenant.ts'

/** The tenant of a client that has logged in, as everybody has who gets past NOAUTH. */
export function tenantOf(session: Session): Tenant {
  if (session.tenant === undefined) throw new Error('a command that needs a login was let through without one')
  return session.tenant
}
