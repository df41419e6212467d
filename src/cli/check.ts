import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { EXIT, type Terminal } from './terminal.ts'

/** `keyward check FILE`. Throws ConfigError with everything that is wrong. */
export function check(file: string, terminal: Terminal): number {
  const config = loadConfig(file, terminal.env)
  terminal.out(`ok: ${summary(config)}\n`)
  return EXIT.OK
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
