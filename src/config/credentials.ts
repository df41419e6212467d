import type { UpstreamTls } from '../upstream/options.ts'
import type { ResolveContext } from './context.ts'
import { checkPair, readPem } from './listeners.ts'
import type { Path } from './problem.ts'
import { lookUp, type SecretSource } from './secret.ts'

// What Keyward shows to servers, Redis and Sentinel alike.

/** undefined: none given, or reported. */
export function resolveSecret(
  source: SecretSource | undefined,
  path: Path,
  context: ResolveContext,
): string | undefined {
  if (source === undefined || 'sha256' in source) return undefined
  const secret = lookUp(source, context)
  if ('value' in secret) return secret.value
  context.report.add(path, secret.message, secret.cure)
  return undefined
}

interface TlsFiles {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly serverName?: string
}

/** Reads the files; what is wrong with them is reported and left out. */
export function resolveClientTls(files: TlsFiles, path: Path, context: ResolveContext): UpstreamTls {
  const { report } = context
  const ca = readPem(files.ca, [...path, 'ca'], context)
  const cert = readPem(files.cert, [...path, 'cert'], context)
  const key = readPem(files.key, [...path, 'key'], context)
  if (files.cert !== undefined && files.key === undefined)
    report.add([...path, 'key'], 'is missing', 'add the key of `cert`')
  if (files.key !== undefined && files.cert === undefined)
    report.add([...path, 'cert'], 'is missing', 'add the certificate of `key`')
  if (cert !== undefined && key !== undefined) checkPair(cert, key, [...path, 'key'], report)
  return { ca, cert, key, serverName: files.serverName }
}
