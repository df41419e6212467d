import type { ProcessView, UpstreamView } from './view.ts'

/** An upstream, as `PROXY STATUS` tells it. Times in milliseconds. */
export interface UpstreamStatus extends UpstreamView {
  /** Of the primary; undefined: not found yet. */
  readonly address: string | undefined
  /** What waits on purpose, and why. */
  readonly waits: 'nothing' | 'writes' | 'everything'
  readonly why: string | undefined
  readonly breaker: { readonly state: string }
  readonly health: { readonly reason: string; readonly concerns: readonly string[] }
  /** Failovers that were followed since the start. */
  readonly moves: { readonly count: number; readonly lossy: number; readonly unproven: number }
  readonly topology: {
    readonly kind: string
    readonly sentinels: readonly {
      readonly address: string
      readonly connected: boolean
      readonly names: string | undefined
    }[]
  }
  /** Those that are read. */
  readonly replicas: readonly { readonly address: string; readonly usable: boolean; readonly lag: number }[]
}

export interface StatusSource {
  ready(): { readonly ready: boolean; readonly reason: string }
  view(): Omit<ProcessView, 'upstreams'> & { readonly upstreams: readonly UpstreamStatus[] }
}

/** How the process is, in lines for people. */
export function statusText(source: StatusSource, version: string): string {
  const { generation, connections, barrier, running, gates, upstreams } = source.view()
  const { ready, reason } = source.ready()
  const lines = [
    `keyward ${version}: ${ready ? reason : `not ready, ${reason}`}`,
    `configuration ${generation}, ${connections} client connections`,
    `jobs and subscriptions: ${running} under way, ${barrier} requests behind them, ${gates.closed} gates closed`,
    ...upstreams.flatMap(upstreamLines),
  ]
  return `${lines.join('\n')}\n`
}

function upstreamLines(upstream: UpstreamStatus): readonly string[] {
  const { name, usable, address = 'not found yet', topology, waits, why, breaker, health, moves, node } = upstream
  const { connections, pins, places } = node
  const trouble = [health.reason, ...health.concerns].filter((text) => text !== '')
  const found = topology.kind === 'standalone' ? '' : `, found by ${topology.kind}`
  return [
    `upstream ${name}: ${usable ? 'usable' : 'away'}, primary ${address}${found}`,
    `  requests: ${places.sent} under way, ${places.scheduled} not sent, ${places.held} held`,
    ...(waits === 'nothing' ? [] : [`  on purpose ${waits} wait${waits === 'writes' ? '' : 's'}: ${why ?? ''}`]),
    `  connections: ${connections.lane + connections.bulk} shared, ${connections.pin} dedicated (${pins.waiting} clients wait for one), ${upstream.reconnects} lost so far`,
    ...(breaker.state === 'closed' ? [] : [`  breaker: ${breaker.state}`]),
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

function behind(usable: boolean, lag: number): string {
  if (!usable) return 'away'
  return Number.isFinite(lag) ? `at most ${Math.round(lag)} ms behind` : 'not known how far behind'
}
