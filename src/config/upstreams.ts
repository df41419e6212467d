import type { UpstreamOptions, UpstreamTls } from '../upstream/options.ts'
import { readUpstreamUrl, type UpstreamUrl } from './address.ts'
import type { ResolveContext } from './context.ts'
import { resolveClientTls, resolveSecret } from './credentials.ts'
import type { Path } from './problem.ts'
import type { UpstreamShape } from './schema.ts'
import { resolveSentinel } from './sentinel.ts'
import { formatDuration } from './units.ts'

/** undefined: its url or its sentinels were wrong and are reported. */
export function resolveUpstream(
  name: string,
  shape: UpstreamShape,
  context: ResolveContext,
): UpstreamOptions | undefined {
  const path: Path = ['upstreams', name]
  const { report } = context
  const url = resolveUrl(shape, path, context)
  const sentinel = shape.sentinel && resolveSentinel(shape.sentinel, [...path, 'sentinel'], context)
  const password = resolveSecret(shape.password, [...path, 'password'], context) ?? url?.password
  const user = shape.user ?? url?.user
  if (url?.user !== undefined && shape.user !== undefined) {
    report.add([...path, 'user'], 'the url has a user already', 'give it in one place')
  }
  if (url?.password !== undefined && shape.password !== undefined) {
    report.add([...path, 'password'], 'the url has a password already', 'give it in one place')
  }
  if (shape.user !== undefined && password === undefined) {
    report.add([...path, 'password'], 'is missing: the upstream has a user', 'add `password`, or remove `user`')
  }
  const tls = resolveTls(shape, url, path, context)
  checkBreaker(shape.breaker, [...path, 'breaker'], context)
  if (url === undefined && sentinel === undefined) return undefined
  const {
    lanes,
    pins,
    subscribers,
    bulk,
    keepAlive,
    timeouts,
    hold,
    scan,
    reissueBlocked,
    breaker,
    health,
    fairness,
    walls,
  } = shape
  return {
    name,
    address: url?.address,
    sentinel,
    user,
    password,
    tls,
    lanes,
    pins,
    subscribers,
    bulk,
    keepAlive,
    timeouts,
    hold,
    scan,
    reissueBlocked,
    walls,
    breaker,
    health,
    fairness,
  }
}

function resolveUrl(shape: UpstreamShape, path: Path, context: ResolveContext): UpstreamUrl | undefined {
  const { report } = context
  const at = [...path, 'url']
  const other = shape.sentinel !== undefined || report.has([...path, 'sentinel']) || report.has([...path, 'cluster'])
  if (shape.url === undefined) {
    const cure = 'add url: redis://host:port, or sentinel: {master: name, nodes: ["host:port"]}'
    if (!other && !report.has(at)) report.add(at, 'is missing', cure)
    return undefined
  }
  if (shape.sentinel !== undefined) {
    report.add([...path, 'sentinel'], 'url and sentinel both say where the server is', 'remove one of the two', 'key')
  }
  const text = resolveSecret(shape.url, at, context)
  if (text === undefined) return undefined
  const url = readUpstreamUrl(text)
  if ('value' in url) return url.value
  report.add(at, url.message, url.cure)
  return undefined
}

function resolveTls(
  shape: UpstreamShape,
  url: UpstreamUrl | undefined,
  path: Path,
  context: ResolveContext,
): UpstreamTls | undefined {
  if (shape.tls === undefined && url?.tls !== true) return undefined
  const at = [...path, 'tls']
  const { report } = context
  if (url !== undefined && 'path' in url.address) {
    report.add(at, 'a unix socket does not leave this host, TLS is not spoken on it', 'remove it', 'key')
    return undefined
  }
  return resolveClientTls(shape.tls ?? {}, at, context)
}

/** Milliseconds in which the breaker counts one outcome of each kind, since what happens to all connections at once is one fact. */
const ONE_OUTCOME = 100

/** With a volume that failures alone cannot reach it would never open, and nobody would know. */
function checkBreaker({ volume, window }: UpstreamShape['breaker'], path: Path, { report }: ResolveContext): void {
  if (report.has(path) || report.has([...path, 'volume']) || report.has([...path, 'window'])) return
  const most = Math.max(1, Math.floor(window / ONE_OUTCOME))
  if (volume <= most) return
  report.add(
    [...path, 'volume'],
    `${volume} failures are never counted within ${formatDuration(window)}: at most ten a second are`,
    `write at most ${most}, or a window of at least ${formatDuration(volume * ONE_OUTCOME)}`,
  )
}
