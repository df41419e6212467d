import { createHash } from 'node:crypto'
import type { ArgView } from '../commands/arg-view.ts'
import type { CommandTable } from '../commands/lookup.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { wrapScript } from '../keyspace/scripting/wrap-script.ts'
import { keyPrefix, type Tenant } from '../session/tenant.ts'
import { SERVICE_USER } from '../upstream/walls/wall-users.ts'
import { quote } from './quote.ts'

/** What becomes of EVAL, EVALSHA and their like, for a tenant with a prefix. */
export interface ScriptExplained {
  /** Why it is not run. */
  readonly refused: string | undefined
  readonly lines: readonly (readonly [label: string, text: string])[]
}

/** `walls`: of the upstream's configuration; what the upstream itself lets us do is not asked here. */
export function explainScript(
  table: CommandTable,
  spec: CommandSpec,
  view: ArgView,
  tenant: Tenant,
  walls: 'auto' | 'required' | 'off',
): ScriptExplained {
  const byText = !spec.name.startsWith('evalsha')
  const named = view.bytes(1)
  const sha = byText ? createHash('sha1').update(named).digest('hex') : named.toString('latin1').toLowerCase()
  const trusted = tenant.trustedScripts.has(sha)
  if (walls === 'off' && !trusted) {
    return { refused: 'scripts need walls, which are off for this upstream (upstreams.<name>.walls)', lines: [] }
  }
  const prefix = keyPrefix(tenant, 0)
  const count = view.integer(2) ?? 0
  const keys = view.all().slice(3, 3 + Math.max(0, count))
  const user = walls === 'off' ? undefined : `keyward:${tenant.name}`
  const wrapped = byText ? wrapScript(named, table, { ttl: tenant.ttl.length > 0 }) : undefined
  return {
    refused: undefined,
    lines: [
      ['script', `${sha}${trusted ? ', one of trustedScripts' : ''}`],
      ...(wrapped === undefined
        ? ([['', `its text is looked up at keyward:script:${tenant.name}:${sha}`]] as const)
        : ([['', `with the prologue ${wrapped.text.length} bytes, ${wrapped.sha}`]] as const)),
      ...keys.map(
        (key, i) => [i === 0 ? 'keys' : '', `${quote(key)} becomes ${quote(Buffer.concat([prefix, key]))}`] as const,
      ),
      ['', 'keys that the script itself names get the prefix when it runs'],
      ...(user === undefined
        ? ([['user', 'that of the upstream: nothing but the prologue keeps it to the keys of the tenant']] as const)
        : ([
            ['user', `${user}, between AUTH ${user} and AUTH ${SERVICE_USER} in one write`],
            ['', "refused where the upstream's user may not make users (ACL SETUSER); the log says so"],
          ] as const)),
    ],
  }
}
