import type { UpstreamOptions, UpstreamTls } from '../upstream/options.ts'
import { readUpstreamUrl, type UpstreamUrl } from './address.ts'
import type { ResolveContext } from './context.ts'
import { checkPair, readPem } from './listeners.ts'
import type { Path } from './problem.ts'
import type { UpstreamShape } from './schema.ts'
import { lookUp, type SecretSource } from './secret.ts'

/** undefined: its url was wrong and is reported. */
export function resolveUpstream(
  name: string,
  shape: UpstreamShape,
  context: ResolveContext,
): UpstreamOptions | undefined {
  const path: Path = ['upstreams', name]
  const { report } = context
  const url = resolveUrl(shape, path, context)
  const password = readSecret(shape.password, [...path, 'password'], context) ?? url?.password
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
  if (url === undefined) return undefined
  const { lanes, pins, subscribers, bulk, keepAlive, timeouts, hold, scan, reissueBlocked } = shape
  return {
    name,
    address: url.address,
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
  }
}

function resolveUrl(shape: UpstreamShape, path: Path, context: ResolveContext): UpstreamUrl | undefined {
  const { report } = context
  const at = [...path, 'url']
  if (shape.url === undefined) {
    if (!report.has([...path, 'sentinel']) && !report.has([...path, 'cluster'])) {
      report.add(at, 'is missing', 'add url: redis://host:port')
    }
    return undefined
  }
  const text = readSecret(shape.url, at, context)
  if (text === undefined) return undefined
  const url = readUpstreamUrl(text)
  if ('value' in url) return url.value
  report.add(at, url.message, url.cure)
  return undefined
}

function readSecret(source: SecretSource | undefined, path: Path, context: ResolveContext): string | undefined {
  if (source === undefined || 'sha256' in source) return undefined
  const secret = lookUp(source, context)
  if ('value' in secret) return secret.value
  context.report.add(path, secret.message, secret.cure)
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
  const files = shape.tls ?? {}
  const ca = readPem(files.ca, [...at, 'ca'], context)
  const cert = readPem(files.cert, [...at, 'cert'], context)
  const key = readPem(files.key, [...at, 'key'], context)
  if (files.cert !== undefined && files.key === undefined)
    report.add([...at, 'key'], 'is missing', 'add the key of `cert`')
  if (files.key !== undefined && files.cert === undefined)
    report.add([...at, 'cert'], 'is missing', 'add the certificate of `key`')
  if (cert !== undefined && key !== undefined) checkPair(cert, key, [...at, 'key'], report)
  return { ca, cert, key, serverName: files.serverName }
}
