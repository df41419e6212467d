import type { Tenant, User } from '../session/tenant.ts'
import { resolveCache } from './cache.ts'
import { checkName, type Names, type ResolveContext } from './context.ts'
import { type ReadCommands, resolveLimits } from './limits.ts'
import { checkNames, USER_NAME } from './names.ts'
import type { Path } from './problem.ts'
import type { TenantShape } from './schema.ts'
import { lookUpDigest } from './secret.ts'
import { resolveTtl } from './ttl.ts'

/** `index`: its place in the file. Users whose password is wrong are reported and left out. */
export function resolveTenant(
  name: string,
  shape: TenantShape,
  index: number,
  names: Names,
  commands: ReadCommands,
  context: ResolveContext,
): Tenant {
  const path: Path = ['tenants', name]
  const { report } = context
  const { upstream = '', databases, maxClients, buffers, subscriptions, slowlog, replicas } = shape
  if (shape.upstream !== undefined) checkName([...path, 'upstream'], upstream, names.upstreams, 'upstream', report)
  const prefix = shape.prefix ?? `${name}:`
  if (prefix === '' && databases !== undefined) {
    const cure = 'remove `databases`, or give the tenant a prefix'
    report.add([...path, 'databases'], 'a pass-through tenant (prefix "") has only the one database', cure)
  }
  const { request, output, pubsub } = buffers
  const users = resolveUsers(shape, [...path, 'users'], context)
  const { slowerThan, entries } = slowlog
  return {
    name,
    upstream,
    prefix,
    databases,
    maxClients,
    buffers: { request, output, pubsub },
    subscriptions,
    slowlog: { slowerThan, entries },
    replicas: { read: replicas.read, maxLag: replicas.maxLag },
    limits: resolveLimits(shape.limits, [...path, 'limits'], commands, report),
    ttl: resolveTtl(shape.ttl, [...path, 'ttl'], report),
    cache: resolveCache(shape.cache, [...path, 'cache'], report),
    weight: shape.weight,
    scripts: shape.scripts,
    trustedScripts: new Set(shape.trustedScripts.flatMap((sha) => (sha === undefined ? [] : [sha.toLowerCase()]))),
    functions: shape.functions,
    extensions: new Set(shape.extensions.filter((one) => one !== undefined)),
    users,
    index,
  }
}

function resolveUsers(shape: TenantShape, path: Path, context: ResolveContext): ReadonlyMap<string, User> {
  const { report } = context
  const users = new Map<string, User>()
  if (shape.users === undefined) {
    if (!report.has(path)) users.set('default', { name: 'default', digest: undefined })
    return users
  }
  if (Object.keys(shape.users).length === 0 && !report.has(path) && !report.hasInside(path)) {
    report.add(path, 'has no user', 'add one: users: {default: {password: {env: NAME}}}', 'key')
  }
  checkNames(path, Object.keys(shape.users), USER_NAME, report)
  for (const [name, user] of Object.entries(shape.users)) {
    const at = [...path, name, 'password']
    if (user.password === undefined) {
      if (!report.has(at)) users.set(name, { name, digest: undefined })
      continue
    }
    const digest = lookUpDigest(user.password, context)
    if ('value' in digest) users.set(name, { name, digest: digest.value })
    else report.add(at, digest.message, digest.cure)
  }
  return users
}
