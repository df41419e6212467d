import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { EXIT, type Terminal } from './terminal.ts'

/** `keyward check FILE`. What is wrong is this command's result, so it goes to standard output. */
export function check(file: string, terminal: Terminal): number {
  try {
    const config = loadConfig(file, terminal.env)
    terminal.out(`ok: ${summary(config)}\n`)
    return EXIT.OK
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    terminal.out(`${error.message}\n`)
    return EXIT.USAGE
  }
}

/** What a configuration has, in one line. */
export function summary(config: Config): string {
  const users = [...config.tenants.values()].reduce((sum, tenant) => sum + tenant.users.size, 0)
  return [
    some(config.listeners.length, 'listener'),
    some(config.upstreams.size, 'upstream'),
    some(config.tenants.size, 'tenant'),
    some(users, 'user'),
  ].join(', ')
}

function some(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
