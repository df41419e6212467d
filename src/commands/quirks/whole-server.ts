import type { LocalCall } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

/**
 * A fact about the whole upstream server, by its name in INFO. Only the tenant with an empty prefix, which has its
 * upstream for itself, gets the true value; the others get `hidden`, because from a sum over all tenants, and from
 * how it moves, one could read what the others do.
 */
export function wholeServer<T extends string | number>(call: LocalCall, name: string, hidden: T): string | T {
  const tenant = tenantOf(call.session)
  return tenant.prefix === '' ? (call.server.upstream(tenant).info.get(name) ?? hidden) : hidden
}
