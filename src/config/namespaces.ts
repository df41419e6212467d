import type { Tenant } from '../session/tenant.ts'
import type { UpstreamOptions } from '../upstream/options.ts'
import type { Config } from './config.ts'
import { OWN_PREFIX, overlap } from './prefix.ts'
import type { Path, Report } from './problem.ts'
import { serversOf } from './servers.ts'

/**
 * No prefix may start another one on the same server, nor Keyward's own: else a key of one tenant could be read as a
 * key of another. Upstreams may lead to the same server.
 */
export function checkPrefixes(
  tenants: readonly Tenant[],
  upstreams: ReadonlyMap<string, UpstreamOptions>,
  report: Report,
): void {
  const serverOf = serversOf(upstreams)
  const servers = new Map<string, Tenant[]>()
  for (const tenant of tenants) {
    const path: Path = ['tenants', tenant.name, 'prefix']
    if (report.has(path)) continue
    if (tenant.prefix !== '' && overlap(tenant.prefix, OWN_PREFIX)) {
      report.add(
        path,
        `"${tenant.prefix}" and Keyward's own "${OWN_PREFIX}" overlap`,
        'choose a prefix that neither starts nor continues it',
      )
      continue
    }
    const server = serverOf.get(tenant.upstream) ?? tenant.upstream
    const neighbours = servers.get(server) ?? []
    // One with the empty prefix lets nobody in behind it, so it can only be the first.
    const [before] = neighbours
    if (before !== undefined && (tenant.prefix === '' || before.prefix === '')) {
      const [empty, other] = before.prefix === '' ? [before, tenant] : [tenant, before]
      report.add(
        path,
        `tenant ${empty.name} has the empty prefix, but is not alone on its upstream: ${other.name} is there too`,
        'give it a prefix, or an upstream of its own',
      )
      continue
    }
    neighbours.push(tenant)
    servers.set(server, neighbours)
  }
  for (const neighbours of servers.values()) checkServer(neighbours, report)
}

/** Sorted, a prefix stands before all that it starts, with nothing else between: those that are open form a stack. */
function checkServer(tenants: readonly Tenant[], report: Report): void {
  const sorted = [...tenants].sort((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : a.index - b.index))
  const open: Tenant[] = []
  for (const tenant of sorted) {
    while (open.length > 0 && !tenant.prefix.startsWith(open[open.length - 1].prefix)) open.pop()
    const shorter = open.at(-1)
    open.push(tenant)
    if (shorter === undefined) continue
    const [first, second] = shorter.index < tenant.index ? [shorter, tenant] : [tenant, shorter]
    report.add(
      ['tenants', second.name, 'prefix'],
      `"${second.prefix}" and "${first.prefix}" of tenant ${first.name} overlap`,
      'end each prefix with a character that the names do not have, such as ":"; neither may start the other',
    )
  }
}

/**
 * Tenants of both configurations whose raw keys have other names, or another upstream, in the new one, each as a
 * sentence with its cure: a reload that did this would take all their data out of sight. New and removed tenants do not
 * count.
 */
export function diffNamespaces(old: Config, next: Config): readonly string[] {
  const changes: string[] = []
  for (const before of old.tenants.values()) {
    const after = next.tenants.get(before.name)
    if (after === undefined) continue
    const differences = [
      difference('upstream', before.upstream, after.upstream),
      difference('prefix', JSON.stringify(before.prefix), JSON.stringify(after.prefix)),
      difference('databases', databasesOf(before), databasesOf(after)),
    ].filter((text) => text !== undefined)
    if (differences.length > 0)
      changes.push(
        `tenants.${before.name}: ${differences.join(' and ')}, which would take its keys out of sight; ${CURE}`,
      )
  }
  return changes
}

const CURE = 'put it back, or give the new layout to a new tenant; an empty namespace may change with a restart'

function difference(key: string, before: string, after: string): string | undefined {
  return before === after ? undefined : `${key} changes from ${before} to ${after}`
}

function databasesOf(tenant: Tenant): string {
  return tenant.databases === undefined ? 'none' : String(tenant.databases)
}
