import { nearest } from '../lib/nearest.ts'
import { cachePage, ttlPage } from './cache-pages.ts'
import { limitsPage } from './limit-pages.ts'
import { printableJson } from './printable.ts'
import type { UpstreamView } from './upstream-view.ts'
import type { AdminSource, ProcessView } from './view.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Everything the admin server answers. */
export const ROUTES: Readonly<Record<string, 'metrics' | ((source: AdminSource, query: URLSearchParams) => Answer)>> = {
  '/healthz': () => plain(200, 'ok\n'),
  '/readyz': (source) => {
    const { ready, reason } = source.ready()
    return ready ? plain(200, 'ready\n') : refusal(503, `not ready: ${reason}`, 'wait, or see the log')
  },
  '/metrics': 'metrics',
  '/upstreams': (source) => json(200, { ...source.ready(), upstreams: source.view().upstreams.map(shown) }),
  '/limits': ofTenant(limitsPage),
  '/cache': ofTenant(({ caches }, tenant) => cachePage(caches, tenant)),
  '/ttl': ofTenant(({ ttl }, tenant) => ttlPage(ttl, tenant)),
}

/** A page about tenants. `?tenant=NAME`: of this one. Anything else in its place is refused: who misspells it must not take all for one. */
function ofTenant(page: (view: ProcessView, tenant: string | undefined) => object) {
  return (source: AdminSource, query: URLSearchParams): Answer => {
    for (const name of query.keys()) {
      if (name !== 'tenant') return refusal(400, `there is no parameter ${name}`, 'there is only ?tenant=NAME')
    }
    const named = query.getAll('tenant')
    if (named.length > 1) return refusal(400, 'tenant is given more than once', 'ask for one, or for all')
    const view = source.view()
    const known = view.tenants.map(({ name }) => name).filter((name) => name !== '')
    if (named.length === 1 && !known.includes(named[0])) {
      const near = nearest(named[0].slice(0, 64), known)
      const cure = near === undefined ? 'see `tenants` of the configuration' : `did you mean ${near}?`
      return refusal(404, `there is no tenant ${named[0]}`, cure)
    }
    return json(200, page(view, named[0]))
  }
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
  return { status, type: 'application/json', body: `${printableJson(value)}\n` }
}
