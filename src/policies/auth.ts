import { createHash, timingSafeEqual } from 'node:crypto'
import type { Authenticator, Login } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'

/** What of a listener decides who may log in there. */
export interface AuthScope {
  /** Only this tenant's users exist. undefined: those of every tenant. */
  readonly tenant: string | undefined
  /** `optional`: without AUTH a client is the tenant's user "default". */
  readonly login: 'required' | 'optional'
}

interface Entry {
  readonly digest: Buffer
  readonly login: Login
}

/**
 * Who may log in on one listener. A login costs one SHA-256 and one look-up, whether it succeeds or not and however
 * many tenants there are: users are found by name and digest together. The configuration has made sure that no two
 * users share both; should that fail, neither of the two can log in by the bare name.
 */
export function buildAuthenticator(tenants: Iterable<Tenant>, scope: AuthScope): Authenticator {
  const entries = new Map<string, Entry>()
  const ambiguous = new Set<string>()
  let anonymous: Login | undefined
  for (const tenant of tenants) {
    if (scope.tenant !== undefined && tenant.name !== scope.tenant) continue
    for (const user of tenant.users.values()) {
      const login: Login = { tenant, user: user.name }
      if (user.name === 'default' && scope.login === 'optional' && scope.tenant !== undefined) anonymous = login
      if (user.digest === undefined) continue
      const entry: Entry = { digest: user.digest, login }
      const hex = user.digest.toString('hex')
      const bare = id(user.name, hex)
      if (entries.has(bare)) ambiguous.add(bare)
      entries.set(bare, entry)
      entries.set(id(`${tenant.name}/${user.name}`, hex), entry)
    }
  }
  for (const bare of ambiguous) entries.delete(bare)
  const open = anonymous?.tenant.users.get('default')?.digest === undefined ? anonymous : undefined
  return new DigestAuthenticator(entries, anonymous, open)
}

class DigestAuthenticator implements Authenticator {
  readonly anonymous: Login | undefined
  private readonly entries: ReadonlyMap<string, Entry>
  /** The anonymous user where it has no password: as in Redis, it then takes any. */
  private readonly open: Login | undefined

  constructor(entries: ReadonlyMap<string, Entry>, anonymous: Login | undefined, open: Login | undefined) {
    this.entries = entries
    this.anonymous = anonymous
    this.open = open
  }

  login(user: string, password: Buffer): Login | undefined {
    const digest = createHash('sha256').update(password).digest()
    const entry = this.entries.get(id(user, digest.toString('hex')))
    if (entry !== undefined) return timingSafeEqual(entry.digest, digest) ? entry.login : undefined
    const { open } = this
    if (open !== undefined && (user === 'default' || user === `${open.tenant.name}/default`)) return open
    return undefined
  }
}

/** User names have no blanks, so nobody can write one that holds another's digest. */
function id(user: string, hex: string): string {
  return `${hex} ${user}`
}
