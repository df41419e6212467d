import { nearest } from '../lib/nearest.ts'
import { OperationFailed, type Target } from './operations.ts'
import type { SocketSource } from './socket-source.ts'

/** What a request names: by kind, or by a bare name that is hopefully only one thing's. */
export type Named = { readonly kind: 'tenant' | 'upstream' | undefined; readonly name: string }

/** Of PAUSE and RESUME. Throws OperationFailed when there is no such thing, or when a bare name is both. */
export function findTarget(named: Named | undefined, source: SocketSource): Target {
  if (named === undefined) return 'everything'
  const { kind, name } = named
  const tenants = source.tenants()
  const upstreams = source.upstreams()
  const isTenant = kind !== 'upstream' && tenants.includes(name)
  const isUpstream = kind !== 'tenant' && upstreams.includes(name)
  if (isTenant && isUpstream) {
    throw new OperationFailed(`${name} is a tenant and an upstream`, `say TENANT ${name} or UPSTREAM ${name}`)
  }
  if (isTenant) return { tenant: name }
  if (isUpstream) return { upstream: name }
  const known = kind === 'tenant' ? tenants : kind === 'upstream' ? upstreams : [...upstreams, ...tenants]
  throw new OperationFailed(`there is no ${kind ?? 'tenant or upstream'} ${name}`, cureFor(name, known))
}

/** Of RECONNECT and FAILOVER; undefined: none was named. */
export function findUpstream(named: Named | undefined, source: SocketSource): string | undefined {
  if (named === undefined) return undefined
  const upstreams = source.upstreams()
  if (named.kind !== 'tenant' && upstreams.includes(named.name)) return named.name
  if (named.kind !== 'upstream' && source.tenants().includes(named.name)) {
    throw new OperationFailed(`${named.name} is a tenant, and this is done to an upstream`, cureFor('', upstreams))
  }
  throw new OperationFailed(`there is no upstream ${named.name}`, cureFor(named.name, upstreams))
}

/** Of LIMITS; undefined: none was named. */
export function findTenant(named: Named | undefined, source: SocketSource): string | undefined {
  if (named === undefined) return undefined
  const tenants = source.tenants()
  if (tenants.includes(named.name)) return named.name
  throw new OperationFailed(`there is no tenant ${named.name}`, cureFor(named.name, tenants))
}

/** Of thousands of tenants nobody reads the list. */
const MOST_NAMES = 10

function cureFor(name: string, known: readonly string[]): string {
  const near = name === '' ? undefined : nearest(name, known)
  if (near !== undefined) return `did you mean ${near}?`
  const more = known.length > MOST_NAMES ? ` and ${known.length - MOST_NAMES} more` : ''
  return `there are ${known.slice(0, MOST_NAMES).join(', ')}${more}`
}
