import { readFileSync } from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { ListenerOptions, ListenerTls } from '../client/options.ts'
import type { Tenant } from '../session/tenant.ts'
import { formatAddress } from '../upstream/address.ts'
import { isLocal } from './address.ts'
import type { Config } from './config.ts'
import { checkName, type Names, type ResolveContext } from './context.ts'
import type { Path, Report } from './problem.ts'
import type { ListenerShape } from './schema.ts'

/** A listener with what only the checks need. */
export type CheckedListener = ListenerOptions & { readonly insecure: boolean }

/** undefined: its address was wrong and is reported. */
export function resolveListener(
  shape: ListenerShape,
  index: number,
  names: Names,
  context: ResolveContext,
): CheckedListener | undefined {
  const { report } = context
  const path: Path = ['listeners', index]
  const { address, mode, tenant, login, insecure } = shape
  if (tenant !== undefined) checkName([...path, 'tenant'], tenant, names.tenants, 'tenant', report)
  if (login === 'optional' && tenant === undefined && !report.has([...path, 'tenant'])) {
    const cure = 'add `tenant`, or remove `login`'
    report.add([...path, 'login'], 'without a tenant there is nobody to be before AUTH', cure)
  }
  const tls = shape.tls === undefined ? undefined : readTls(shape.tls, [...path, 'tls'], context)
  if (address === undefined) return undefined
  const unix = 'path' in address
  if (mode !== undefined && !unix) report.add([...path, 'mode'], 'only unix sockets have a mode', 'remove it', 'key')
  if (shape.tls !== undefined && unix) {
    report.add([...path, 'tls'], 'a unix socket does not leave this host, TLS is not spoken on it', 'remove it', 'key')
  }
  return { address: unix ? { path: address.path, mode } : address, tls, tenant, login, insecure }
}

function readTls(
  shape: NonNullable<ListenerShape['tls']>,
  path: Path,
  context: ResolveContext,
): ListenerTls | undefined {
  const cert = readPem(shape.cert, [...path, 'cert'], context)
  const key = readPem(shape.key, [...path, 'key'], context)
  if (cert === undefined || key === undefined) return undefined
  return checkPair(cert, key, [...path, 'key'], context.report) ? { cert, key } : undefined
}

/** The bytes of a PEM file; undefined: none named, or reported. */
export function readPem(file: string | undefined, path: Path, context: ResolveContext): Buffer | undefined {
  if (file === undefined) return undefined
  const name = resolvePath(context.baseDir, file)
  try {
    const pem = readFileSync(name)
    if (pem.includes('-----BEGIN ')) return pem
    context.report.add(path, `${name} is not a PEM file`, 'convert it: it must contain a line "-----BEGIN …"')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? error
    context.report.add(path, `${name} cannot be read: ${code}`, 'check the path and its permissions')
  }
  return undefined
}

/** Do certificate and key belong together? */
export function checkPair(cert: Buffer, key: Buffer, path: Path, report: Report): boolean {
  try {
    createSecureContext({ cert, key })
    return true
  } catch (error) {
    report.add(
      path,
      `certificate and key cannot be used: ${(error as Error).message}`,
      'use a key without passphrase that belongs to `cert`',
    )
    return false
  }
}

/** Addresses used twice, and protected mode. */
export function checkListeners(
  listeners: readonly (CheckedListener | undefined)[],
  tenants: ReadonlyMap<string, Tenant>,
  admin: Config['admin'],
  report: Report,
): void {
  const taken = new Map<string, string>()
  listeners.forEach((listener, i) => {
    if (listener === undefined) return
    const { address } = listener
    const text = formatAddress(address)
    const before = taken.get(text)
    if (before === undefined) taken.set(text, `listeners[${i}]`)
    else if ('path' in address || address.port !== 0) {
      report.add(
        ['listeners', i, 'address'],
        `${before} listens on ${text} already`,
        'give each listener an address of its own',
      )
    }
    const open = isLocal(address) || listener.insecure ? undefined : openTo(listener, tenants)
    if (open === undefined) return
    report.add(
      ['listeners', i, 'address'],
      `protected mode: anyone who reaches ${text} would be let in without a password, as user ${open}`,
      'remove `login: optional` and give the user a password, listen on 127.0.0.1 or a unix socket, or say `insecure: true`',
    )
  })
  for (const key of ['address', 'socket'] as const) {
    const address = admin?.[key]
    const text = address === undefined ? undefined : formatAddress(address)
    const before = text === undefined || text.endsWith(':0') ? undefined : taken.get(text)
    if (before === undefined) continue
    const cure = `give it a ${key === 'address' ? 'port' : 'path'} of its own`
    report.add(['admin', key], `${before} listens on ${text} already`, cure)
  }
}

/** Who is let in without a password: "tenant/default", or nobody. */
function openTo(listener: CheckedListener, tenants: ReadonlyMap<string, Tenant>): string | undefined {
  if (listener.login !== 'optional' || listener.tenant === undefined) return undefined
  return tenants.get(listener.tenant)?.users.has('default') ? `${listener.tenant}/default` : undefined
}
