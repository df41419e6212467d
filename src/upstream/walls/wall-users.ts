import { createHash, createHmac } from 'node:crypto'
import type { UpstreamOptions } from '../options.ts'

/** An ACL user of the upstream that Keyward logs in as. */
export interface WallUser {
  readonly name: string
  readonly password: string
}

/** As whom lanes work. No tenant's user can have this name: theirs have a name behind the colon. */
export const SERVICE_USER = 'keyward:'

/**
 * The password is derived, so that all processes that serve the upstream agree on it without telling each other, and no
 * client of a tenant knows it. Where the upstream asks for no password of its own, anybody may do anything there anyhow.
 */
export function wallUser(name: string, { user, password }: Pick<UpstreamOptions, 'user' | 'password'>): WallUser {
  const secret = `${user ?? 'default'}\n${password ?? ''}`
  return { name, password: createHmac('sha256', secret).update(`keyward wall\n${name}`).digest('hex') }
}

/** The user that scripts of this tenant run as. */
export function tenantUser(tenant: string, options: Pick<UpstreamOptions, 'user' | 'password'>): WallUser {
  return wallUser(`keyward:${tenant}`, options)
}

/** ACL SETUSER of it with these rules: the same whoever sends it, and applied as a whole. */
export function setUser({ name, password }: WallUser, rules: readonly string[]): string[] {
  const digest = createHash('sha256').update(password).digest('hex')
  return ['ACL', 'SETUSER', name, 'reset', 'on', `#${digest}`, ...rules]
}

/**
 * Lanes, behind the rules of a user who may do everything: nothing that runs scripts, so that a script that is not logged in as its
 * tenant is refused by Redis itself, and nothing of an administrator's but what keeps lanes and their clients in order.
 */
export const SERVICE_COMMANDS: readonly string[] = [
  '-@scripting',
  '-@admin',
  '+client|kill',
  '+client|list',
  '+client|no-evict',
  '+client|unblock',
  '+config|get',
  '+latency',
]

/**
 * Scripts of a tenant: its own keys and channels, and no command that sees or changes anything else. Inside a script Redis
 * checks nothing but these rules. `prefix` is printable ASCII without glob characters. `unknown`: commands of this server that
 * nobody has reviewed. `functions`: it may call functions. (s3 of the semantics, tried on Redis 7.0.15.)
 */
export function tenantRules(prefix: string, unknown: readonly string[], functions = false): string[] {
  return [
    `~${prefix}*`,
    `&${prefix}*`,
    '+@all',
    ...unknown.map((name) => `-${name}`),
    '-@admin',
    '-@dangerous',
    '+sort',
    '+sort_ro',
    '+restore',
    '-@connection',
    '+ping',
    '+echo',
    '+select|0',
    '-scan',
    '-randomkey',
    '-dbsize',
    '-swapdb',
    '-move',
    '-pubsub',
    '-@scripting',
    '+eval',
    '+eval_ro',
    '+evalsha',
    '+evalsha_ro',
    '-memory',
    '+memory|usage',
    '-lolwut',
    '-wait',
    '-cluster',
    '-command',
    '-acl',
    '-latency',
    ...(functions ? ['+fcall', '+fcall_ro'] : []),
  ]
}
