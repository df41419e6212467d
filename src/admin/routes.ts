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
}

export function plain(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body }
}

/** The one shape of every error. */
export function refusal(status: number, error: string, cure: string): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify({ error, cure })}\n` }
}
