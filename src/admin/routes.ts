import type { UpstreamView } from './upstream-view.ts'
import type { AdminSource } from './view.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Everything the admin server answers. */
export const ROUTES: Readonly<Record<string, 'metrics' | ((source: AdminSource) => Answer)>> = {
  '/healthz': () => plain(200, 'ok\n'),
  '/readyz': (source) => {
    const { ready, reason } = source.ready()
    return ready ? plain(200, 'ready\n') : refusal(503, `not ready: ${reason}`, 'wait, or see the log')
  },
  '/metrics': 'metrics',
  '/upstreams': (source) => json(200, { ...source.ready(), upstreams: source.view().upstreams.map(shown) }),
}

/** In the names and units of upstream-view.ts. What is not known is left out, or null. */
function shown(upstream: UpstreamView): object {
  const { health } = upstream
  // It is of a clock that nobody outside has; `age` is for others.
  const report = health.report && { ...health.report, at: undefined }
  return { ...upstream, health: { ...health, report } }
}

export function plain(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body }
}

/** The one shape of every error. */
export function refusal(status: number, error: string, cure: string): Answer {
  return json(status, { error, cure })
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` }
}
