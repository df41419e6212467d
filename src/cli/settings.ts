import type { Config } from '../config/config.ts'
import { configFromFlags, type Flags, withEnvironment } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { UsageError } from './terminal.ts'

export interface ServeOptions extends Omit<Flags, 'password'> {
  readonly config?: string
}

/** Where the configuration of `keyward serve` comes from; `load` reads it, again for every SIGHUP. */
export interface Settings {
  /** undefined: flags alone, nothing to read again. */
  readonly file: string | undefined
  load(): Config
}

/** What only makes sense without a file. KEYWARD_PASSWORD is not here: a file may name it as {env: KEYWARD_PASSWORD}. */
const WITHOUT_FILE = ['upstream', 'tenant', 'prefix', 'databases'] as const

/** Flags over environment over file. */
export function settings(argument: string | undefined, options: ServeOptions, env: NodeJS.ProcessEnv): Settings {
  const { config, ...flags } = options
  if (argument !== undefined && config !== undefined && argument !== config) {
    throw new UsageError(`two configuration files, ${argument} and ${config}; give one`)
  }
  const file = argument ?? config ?? (env.KEYWARD_CONFIG || undefined)
  if (file === undefined) return { file, load: () => configFromFlags(flags, env) }
  const given = withEnvironment(flags, env)
  for (const name of WITHOUT_FILE) {
    if (given[name] === undefined) continue
    const where = flags[name] === undefined ? `KEYWARD_${name.toUpperCase()}` : `--${name}`
    throw new UsageError(
      `${where} is for running without a configuration file, and there is one: ${file}; say it there`,
    )
  }
  const { listen, admin, logLevel } = given
  return { file, load: () => loadConfig(file, env, { listen, admin, logLevel }) }
}
