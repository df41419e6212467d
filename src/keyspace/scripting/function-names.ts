/**
 * What the names of a tenant's libraries and functions begin with upstream, where all tenants share one namespace for each:
 * `keyward_<tenant>__`. Names may hold letters, digits and `_` alone, and those of functions are the same in upper and
 * lower case. So of the tenant's name lower-case letters and digits stand for themselves, a capital X is `_x`, `_` is `_0`,
 * `-` is `_1`, and the first `__` at the place of a letter ends it: no two tenants have the same, and none begins with
 * another's.
 */
export function functionScope(tenant: string): string {
  return `keyward_${tenant.replace(/[^a-z0-9]/g, (c) => `_${ESCAPED[c] ?? c.toLowerCase()}`)}__`
}

const ESCAPED: Readonly<Record<string, string>> = { _: '0', '-': '1' }

/** An error of the server's, with names as the tenant has given them. The same object when there is none in it. */
export function withOwnNames(line: Buffer, scope: string): Buffer {
  const text = line.toString('latin1')
  return text.includes(scope) ? Buffer.from(text.replaceAll(scope, ''), 'latin1') : line
}
