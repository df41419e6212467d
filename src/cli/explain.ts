import { buildTable } from '../commands/table.ts'
import type { Config } from '../config/config.ts'
import { configFromFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Tenant } from '../session/tenant.ts'
import { explanation } from './explanation.ts'
import { EXIT, type Terminal, UsageError } from './terminal.ts'

export interface ExplainOptions {
  readonly config?: string
  readonly tenant?: string
  readonly user: string
}

/** `keyward explain COMMAND ARG…`. Needs no upstream; without a configuration it takes a tenant with default settings. */
export function explain(words: readonly string[], options: ExplainOptions, terminal: Terminal): number {
  const file = options.config ?? (terminal.env.KEYWARD_CONFIG || undefined)
  const config = file === undefined ? imagined(options.tenant, terminal.env) : loadConfig(file, terminal.env)
  const tenant = chosen(config, options.tenant)
  if (file !== undefined && !tenant.users.has(options.user)) {
    throw new UsageError(
      `tenant ${tenant.name} has no user ${options.user}; it has ${[...tenant.users.keys()].join(', ')}`,
    )
  }
  const { bulk = Number.POSITIVE_INFINITY, walls = 'auto' } = config.upstreams.get(tenant.upstream) ?? {}
  const lines = explanation(
    buildTable(),
    tenant,
    { bulk, walls },
    words.map((word) => Buffer.from(word)),
    options.user,
  )
  const width = Math.max(...lines.map(([label]) => label.length))
  for (const [label, text] of lines) terminal.out(`${label.padEnd(width)}  ${text}\n`)
  return EXIT.OK
}

/** The one tenant of a sidecar without a file, as far as flags and environment tell; its upstream does not matter. */
function imagined(tenant: string | undefined, env: NodeJS.ProcessEnv): Config {
  const { KEYWARD_TENANT, KEYWARD_PREFIX, KEYWARD_DATABASES } = env
  const known = { KEYWARD_TENANT: KEYWARD_TENANT || 'tenant', KEYWARD_PREFIX, KEYWARD_DATABASES }
  return configFromFlags({ tenant, listen: '127.0.0.1:6380', upstream: 'redis://127.0.0.1:6379' }, known)
}

function chosen(config: Config, name: string | undefined): Tenant {
  const known = [...config.tenants.keys()].join(', ')
  if (name === undefined) {
    if (config.tenants.size > 1) throw new UsageError(`which tenant? give --tenant, one of ${known}`)
    return [...config.tenants.values()][0]
  }
  const tenant = config.tenants.get(name)
  if (tenant === undefined) throw new UsageError(`there is no tenant ${name}; there are ${known}`)
  return tenant
}
