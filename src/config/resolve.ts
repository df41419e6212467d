import type { Tenant } from '../session/tenant.ts'
import type { UpstreamOptions } from '../upstream/options.ts'
import { resolveAdmin } from './admin.ts'
import type { Config } from './config.ts'
import type { ResolveContext } from './context.ts'
import { commandReader } from './limits.ts'
import { checkListeners, resolveListener } from './listeners.ts'
import { checkLogins } from './logins.ts'
import { checkNames, NAME, readNames } from './names.ts'
import { checkPrefixes } from './namespaces.ts'
import type { FileShape } from './schema.ts'
import { resolveTenant } from './tenants.ts'
import { resolveTracking } from './tracking.ts'
import { resolveUpstream } from './upstreams.ts'

/**
 * Looks up secrets and files, checks the rules between keys and makes the Config. Its result stands only if the report
 * is empty afterwards.
 */
export function resolve(shape: FileShape, raw: unknown, context: ResolveContext, source: string | undefined): Config {
  const { report } = context
  const names = readNames(raw)
  checkNames(['upstreams'], names.upstreams, NAME, report)
  checkNames(['tenants'], names.tenants, NAME, report)
  const rawListeners = (raw as Record<string, unknown>).listeners
  if (rawListeners === undefined || (Array.isArray(rawListeners) && rawListeners.length === 0)) {
    report.add(['listeners'], 'no listener', 'add one: listeners: [{address: 127.0.0.1:6380}]', 'key')
  }
  if (names.upstreams.length === 0) {
    report.add(['upstreams'], 'no upstream', 'add one: upstreams: {main: {url: redis://127.0.0.1:6379}}', 'key')
  }
  if (names.tenants.length === 0) {
    report.add(['tenants'], 'no tenant', 'add one: tenants: {acme: {upstream: main}}', 'key')
  }
  const listeners = shape.listeners.map((listener, i) => resolveListener(listener, i, names, context))
  const upstreams = new Map<string, UpstreamOptions>()
  for (const [name, upstream] of Object.entries(shape.upstreams)) {
    const resolved = resolveUpstream(name, upstream, context)
    if (resolved !== undefined) upstreams.set(name, resolved)
  }
  const tenants = new Map<string, Tenant>()
  const commands = commandReader()
  for (const [name, tenant] of Object.entries(shape.tenants)) {
    tenants.set(name, resolveTenant(name, tenant, tenants.size, names, commands, context))
  }
  const admin = resolveAdmin(shape.admin, (raw as Record<string, unknown>).admin, report)
  checkPrefixes([...tenants.values()], upstreams, report)
  checkLogins([...tenants.values()], listeners, report)
  checkListeners(listeners, tenants, admin, report)
  return {
    log: shape.log,
    memory: shape.memory,
    shutdown: shape.shutdown,
    listeners: listeners.filter((listener) => listener !== undefined).map(({ insecure: _, ...listener }) => listener),
    admin,
    metrics: shape.metrics,
    scripts: shape.scripts,
    tracking: resolveTracking(shape.tracking, report),
    upstreams: withoutNeedlessWalls(upstreams, tenants),
    tenants,
    source,
  }
}

/** There is nobody to keep apart where nobody has scripts or functions, or where they are those of the tenant that has all keys. */
function withoutNeedlessWalls(
  upstreams: ReadonlyMap<string, UpstreamOptions>,
  tenants: ReadonlyMap<string, Tenant>,
): ReadonlyMap<string, UpstreamOptions> {
  const needed = new Set<string>()
  for (const { functions, prefix, scripts, upstream } of tenants.values()) {
    if (prefix !== '' && (scripts === 'allow' || functions === 'trusted')) needed.add(upstream)
  }
  return new Map(
    [...upstreams].map(([name, options]) => [name, needed.has(name) ? options : { ...options, walls: 'off' as const }]),
  )
}
