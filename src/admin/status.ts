import { requestsOf } from './cache-pages.ts'
import type { Operations } from './operations.ts'
import type { UpstreamView } from './upstream-view.ts'
import type { AdminSource, ProcessView } from './view.ts'

export interface StatusSource extends Pick<AdminSource, 'ready' | 'view'> {
  readonly operations: Pick<Operations, 'pausedTenants'>
}

/** Of thousands of tenants nobody reads the list. */
const MOST_NAMES = 100

/** What lets it. */
const EXPIRY = 'ACL SETUSER … +pexpire'

/** How the process is, in lines for people. */
export function statusText(source: StatusSource, version: string): string {
  const { generation, connections, barrier, running, gates, delayed, limits, caches, ttl, upstreams } = source.view()
  const { ready, reason } = source.ready()
  const lines = [
    `keyward ${version}: ${ready ? reason : `not ready, ${reason}`}`,
    `configuration ${generation}, ${connections} client connections`,
    `jobs and subscriptions: ${running} under way, ${barrier} requests behind them, ${gates.closed} gates closed`,
    ...limitLines({ delayed, limits }),
    ...cacheLines(caches),
    ...ttlLines(ttl),
    ...pausedLines(source.operations.pausedTenants),
    ...upstreams.flatMap(upstreamLines),
  ]
  return `${lines.join('\n')}\n`
}

/** Nothing while they need no attention: there is PROXY LIMITS. */
function limitLines({ delayed, limits }: Pick<ProcessView, 'delayed' | 'limits'>): readonly string[] {
  const failing = limits.filter((limit) => limit.failing).length
  return [
    ...(delayed === 0 ? [] : [`rate limits: ${delayed} requests delayed`]),
    ...(failing === 0 ? [] : [`rate limits: tokens of ${failing} rules cannot be had, onError decides`]),
  ]
}

function cacheLines(caches: ProcessView['caches']): readonly string[] {
  if (caches.length === 0) return []
  let [bytes, memory, requests, stale, misses, crowded, skipped] = [0, 0, 0, 0, 0, 0, 0]
  for (const cache of caches) {
    bytes += cache.bytes
    memory += cache.memory
    for (const rule of cache.rules) {
      requests += requestsOf(rule)
      misses += rule.misses
      stale += rule.staleServed
      crowded += rule.crowded
      skipped += rule.skipped
    }
  }
  const share = requests === 0 ? 0 : Math.floor((100 * (requests - misses)) / requests)
  const old = stale === 0 ? '' : `, ${stale} of them past their end`
  return [
    `near cache: ${caches.length} tenants, ${mebibytes(bytes)} of ${mebibytes(memory)} MiB, spared the upstream ${share}% of ${requests} reads${old}`,
    ...crowdedLines(crowded, skipped),
  ]
}

/** Nothing while they need no attention. */
function crowdedLines(crowded: number, skipped: number): readonly string[] {
  if (crowded + skipped === 0) return []
  return [
    `near cache: too much was under way for ${crowded} reads and ${skipped} replies; see maxFetches and maxFollowers`,
  ]
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

/** Nothing while they need no attention. */
function ttlLines(rules: ProcessView['ttl']): readonly string[] {
  const failed = rules.reduce((sum, rule) => sum + rule.failed, 0)
  return failed === 0 ? [] : [`times to live: ${failed} were refused by the upstream; the keys may be without`]
}

function pausedLines(names: readonly string[]): readonly string[] {
  if (names.length === 0) return []
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
  return [`paused tenants: ${names.slice(0, MOST_NAMES).join(', ')}${more}`]
}

function upstreamLines(upstream: UpstreamView): readonly string[] {
  const { name, usable, address = 'not found yet', role, topology, waits, why, health, moves, node } = upstream
  const { connections, pins, places } = node
  const trouble = [health.reason, ...health.concerns].filter((text) => text !== '')
  const found = topology.kind === 'standalone' ? '' : `, found by ${topology.kind}`
  return [
    `upstream ${name}: ${usable ? 'usable' : 'away'}, ${role === 'slave' ? 'replica' : 'primary'} ${address}${found}`,
    `  requests: ${places.sent} under way, ${places.scheduled} not sent, ${places.held} held`,
    ...(waits === 'nothing' ? [] : [`  on purpose ${waits} wait${waits === 'writes' ? '' : 's'}: ${why ?? ''}`]),
    `  connections: ${connections.lane + connections.bulk} shared, ${connections.pin} dedicated (${pins.waiting} clients wait for one), ${upstream.reconnects} lost so far`,
    ...refusedLines(upstream),
    ...breakerLines(upstream),
    ...invalidationLines(upstream),
    ...(upstream.expiryDenied
      ? [`  its user may not set expiries, so writes that need one are refused: ${EXPIRY}`]
      : []),
    ...(trouble.length === 0 ? [] : [`  server: ${trouble.join('; ')}`]),
    ...(moves.count === 0
      ? []
      : [`  failovers followed: ${moves.count}, ${moves.lossy} lost writes, of ${moves.unproven} it is not known`]),
    ...topology.sentinels.map(({ address, connected, names = 'nobody yet' }) => {
      return `  sentinel ${address}: ${connected ? `names ${names}` : 'away'}`
    }),
    ...upstream.replicas.map(({ address, usable, lag }) => `  replica ${address}: ${behind(usable, lag)}`),
  ]
}

function refusedLines({ refused }: UpstreamView): readonly string[] {
  const { time, memory, breaker } = refused
  if (time + memory + breaker === 0) return []
  return [`  refused so far: ${time} held for too long, ${memory} for want of hold.memory, ${breaker} at once`]
}

function breakerLines({ breaker }: UpstreamView): readonly string[] {
  if (breaker.state === 'closed') return []
  return [`  breaker: ${breaker.state}, not closed for ${Math.round(breaker.openFor / 1000)} s`]
}

function invalidationLines({ invalidations }: UpstreamView): readonly string[] {
  const { wanted, connected, prefixes, delay, refusal, reconnects } = invalidations
  if (!wanted) return []
  if (!connected) {
    return [
      `  writes are not heard of, so nothing is cached${refusal === undefined ? '' : `; the server says: ${refusal}`}`,
    ]
  }
  const of = prefixes === 0 ? 'all keys' : `keys of ${prefixes} prefixes`
  const late = delay === undefined ? '' : `, ${Math.ceil(delay)} ms late`
  return [`  writes are heard of for ${of}${late}; that was lost ${reconnects} times`]
}

function behind(usable: boolean, lag: number): string {
  if (!usable) return 'away'
  return Number.isFinite(lag) ? `at most ${Math.round(lag)} ms behind` : 'not known how far behind'
}
