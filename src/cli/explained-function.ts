import type { ArgView } from '../commands/arg-view.ts'
import { findKeys } from '../commands/keys.ts'
import { type CommandSpec, KeyList } from '../commands/spec.ts'
import { functionScope } from '../keyspace/scripting/function-names.ts'
import { keyPrefix, type Tenant } from '../session/tenant.ts'
import { SERVICE_USER } from '../upstream/walls/wall-users.ts'
import { quote } from './quote.ts'

/** What becomes of FCALL and FCALL_RO, for a tenant with a prefix. `walls`: of the upstream's configuration. */
export function explainCall(
  spec: CommandSpec,
  view: ArgView,
  tenant: Tenant,
  walls: 'auto' | 'required' | 'off',
): readonly (readonly [label: string, text: string])[] {
  const prefix = keyPrefix(tenant, 0)
  const name = view.bytes(1)
  const scoped = Buffer.concat([Buffer.from(functionScope(tenant.name), 'latin1'), name])
  const keys = new KeyList()
  findKeys(spec, view, keys)
  const user = `keyward:${tenant.name}`
  return [
    ['function', `${quote(name)} becomes ${quote(scoped)}`],
    ...Array.from({ length: keys.count }, (_, k) => {
      const key = view.bytes(keys.at[k])
      return [k === 0 ? 'keys' : '', `${quote(key)} becomes ${quote(Buffer.concat([prefix, key]))}`] as const
    }),
    ['', 'keys that the function itself names stay as they are'],
    ...(walls === 'off'
      ? ([['user', 'that of the upstream: nothing keeps the function to the keys of the tenant']] as const)
      : ([
          ['user', `${user}, between AUTH ${user} and AUTH ${SERVICE_USER} in one write`],
          [
            '',
            "that of the upstream where it may not make users (ACL SETUSER): then nothing keeps the function to the tenant's keys",
          ],
        ] as const)),
  ]
}

/** Subcommands of FUNCTION, which are jobs: what is sent, and what else there is to say. */
export function explainFunctions(
  spec: CommandSpec,
  view: ArgView,
  tenant: Tenant,
): { readonly sent: readonly Buffer[]; readonly after: string } {
  const scope = functionScope(tenant.name)
  const own = (...args: readonly string[]): readonly Buffer[] =>
    ['FUNCTION', ...args].map((arg) => Buffer.from(arg, 'latin1'))
  switch (spec.name) {
    case 'function|delete':
      return { sent: own('DELETE', scope + view.text(2)), after: AS_OPERATOR }
    case 'function|flush':
      return { sent: own('DELETE', `${scope}<library>`), after: `for each of the tenant, ${AS_OPERATOR}` }
    case 'function|kill':
      return {
        sent: own('KILL'),
        after: `${AS_OPERATOR}, if FUNCTION STATS shows that a function of this tenant runs; else NOTBUSY`,
      }
    case 'function|list':
      return {
        sent: own('LIST', 'LIBRARYNAME', `${scope}<pattern>`),
        after: `${AS_OPERATOR}; names and code come back as the client knows them`,
      }
    case 'function|load':
      return {
        sent: own('LOAD', `<the library as ${scope}<name>>`),
        after: `${AS_OPERATOR}; its functions are registered as ${scope}<name>, too`,
      }
    default:
      return { sent: own('STATS'), after: `${AS_OPERATOR}; what runs is shown if it is of this tenant` }
  }
}

const AS_OPERATOR = "as the upstream's user of the configuration"
