import { isLocal, readListenAddress } from './address.ts'
import type { Config } from './config.ts'
import { ConfigError, Report } from './problem.ts'
import { resolve } from './resolve.ts'
import { validate } from './validate.ts'

/** What the command line gives in place of a file; each has an environment variable, `KEYWARD_…`, that it goes before. */
export interface Flags {
  readonly listen?: string
  readonly upstream?: string
  readonly tenant?: string
  readonly prefix?: string
  readonly databases?: string | number
  /** No flag of the command line sets it: arguments of a process can be read by its neighbours. */
  readonly password?: string
  readonly admin?: string
  readonly logLevel?: string
}

const VARIABLES = {
  listen: 'KEYWARD_LISTEN',
  upstream: 'KEYWARD_UPSTREAM',
  tenant: 'KEYWARD_TENANT',
  prefix: 'KEYWARD_PREFIX',
  databases: 'KEYWARD_DATABASES',
  password: 'KEYWARD_PASSWORD',
  admin: 'KEYWARD_ADMIN',
  logLevel: 'KEYWARD_LOG_LEVEL',
} as const satisfies Record<keyof Flags, string>

const DEFAULT_LISTEN = '127.0.0.1:6380'

/**
 * Flags over environment. An empty variable counts as not set, but an empty password is kept: whoever set it meant one.
 */
export function withEnvironment(flags: Flags, env: NodeJS.ProcessEnv): Flags {
  const merged: Record<string, string | number | undefined> = {}
  for (const [key, variable] of Object.entries(VARIABLES) as [keyof Flags, string][]) {
    const fromEnv = env[variable] === '' && key !== 'password' ? undefined : env[variable]
    const value = flags[key] ?? fromEnv
    if (value !== undefined) merged[key] = value
  }
  return merged
}

/** `keyward serve` without a file: one listener, one upstream, one tenant. Throws ConfigError. */
export function configFromFlags(flags: Flags, env: NodeJS.ProcessEnv): Config {
  const given = withEnvironment(flags, env)
  const { listen = DEFAULT_LISTEN, upstream, tenant, prefix, password, admin, logLevel } = given
  const report = new Report('command line', () => ({ line: 0, column: 0 }))
  if (upstream === undefined)
    report.add(['upstreams', 'main', 'url'], 'is missing', 'give --upstream redis://host:port, or a configuration file')
  if (tenant === undefined) report.add(['tenants'], 'is missing', 'give --tenant NAME, or a configuration file')
  const address = readListenAddress(listen)
  if (password === undefined && 'value' in address && !isLocal(address.value)) {
    const message = `protected mode: anyone who reaches ${listen} would be let in without a password`
    report.add(['listeners', 0, 'address'], message, 'set KEYWARD_PASSWORD, or listen on 127.0.0.1 or a unix socket')
  }
  const raw = {
    listeners: [
      { address: listen, tenant, login: tenant === undefined || password !== undefined ? 'required' : 'optional' },
    ],
    upstreams: { main: upstream === undefined ? { url: upstream } : upstreamFrom(upstream) },
    tenants: tenant === undefined ? {} : { [tenant]: tenantFrom(prefix, databasesFrom(given.databases), password) },
    ...(admin === undefined ? {} : { admin: { address: admin } }),
    ...(logLevel === undefined ? {} : { log: { level: logLevel } }),
  }
  const shape = validate(raw, report)
  const config = shape && resolve(shape, raw, { env, baseDir: process.cwd(), report }, undefined)
  if (config !== undefined && report.empty) return config
  const problems = report.list().map((problem) => ({ ...problem, path: flagOf(problem.path) }))
  throw new ConfigError(problems.filter(({ path }, i) => problems.findIndex((other) => other.path === path) === i))
}

/** `sentinel://host:port,host:port/master`, or a url. What is neither is told as a wrong url. */
function upstreamFrom(text: string): object {
  const [, nodes, master] = /^sentinel:\/\/([^/@]+)\/([^/]+)$/.exec(text) ?? []
  return nodes === undefined ? { url: text } : { sentinel: { master, nodes: nodes.split(',') } }
}

function tenantFrom(prefix: string | undefined, databases: unknown, password: string | undefined): object {
  return {
    upstream: 'main',
    ...(prefix === undefined ? {} : { prefix }),
    ...(databases === undefined ? {} : { databases }),
    users: { default: password === undefined ? {} : { password } },
  }
}

function databasesFrom(text: string | number | undefined): unknown {
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : text
}

/** The flag, with its variable, whose value a path holds. */
function flagOf(path: string): string {
  const name = FLAG_OF.find(([pattern]) => pattern.test(path))?.[1]
  if (name === undefined) return path
  if (name === 'password') return VARIABLES.password
  return `--${name === 'logLevel' ? 'log-level' : name} (${VARIABLES[name]})`
}

const FLAG_OF: readonly (readonly [RegExp, keyof Flags])[] = [
  [/^listeners\[0\]\.tenant/, 'tenant'],
  [/^listeners/, 'listen'],
  [/^upstreams/, 'upstream'],
  [/\.prefix$/, 'prefix'],
  [/\.databases$/, 'databases'],
  [/\.password$/, 'password'],
  [/^tenants/, 'tenant'],
  [/^admin/, 'admin'],
  [/^log/, 'logLevel'],
]
