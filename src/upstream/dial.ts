import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Address, UpstreamOptions } from './options.ts'

/**
 * Opens a socket to the upstream. The name is resolved anew at every call and all its addresses are tried, so that a
 * server that moved is found without a restart. Connect time-outs are the caller's.
 */
export function dial(address: Address, options: UpstreamOptions): Socket {
  const { tls } = options
  const where =
    'path' in address
      ? { path: address.path }
      : {
          host: address.host,
          port: address.port,
          autoSelectFamily: true,
          keepAlive: true,
          keepAliveInitialDelay: options.keepAlive,
        }
  if (tls === undefined) return connect(where)
  const serverName = tls.serverName ?? ('host' in address ? address.host : undefined)
  return connectTls({
    ...where,
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    servername: isIpAddress(serverName) ? undefined : serverName,
  })
}

/** SNI must not carry an address (RFC 6066, section 3). */
function isIpAddress(name: string | undefined): boolean {
  return name === undefined || /^[0-9.]+$/.test(name) || name.includes(':')
}
