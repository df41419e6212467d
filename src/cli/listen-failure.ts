import { formatAddress } from '../upstream/address.ts'
import { Failure } from './terminal.ts'

/** The system's refusal of an address, in words; any other error as it is. `key`: where the configuration says the address. */
export function listenFailure(error: unknown, key: 'listeners[].address' | 'admin.address' | 'admin.socket'): unknown {
  const { code, address, port, path, message } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  // For unix sockets Node has the path in `address`, and no port.
  const where =
    port !== undefined && port >= 0 ? formatAddress({ host: address ?? '', port }) : `unix:${path ?? address}`
  const cure = code === undefined ? undefined : CURES[code]
  if (cure === undefined)
    return code === undefined ? error : new Failure(`cannot listen on ${where}: ${message}`, `change ${key}`)
  return new Failure(`cannot listen on ${where}: ${cure[0]}`, `${cure[1]}, or change ${key}`)
}

const CURES: Readonly<Record<string, readonly [what: string, cure: string]>> = {
  EADDRINUSE: ['it is in use', 'stop what listens there'],
  EACCES: ['permission denied', 'run as a user that may (ports below 1024 and the folder of a socket need permission)'],
  EPERM: ['permission denied', 'run as a user that may'],
  EADDRNOTAVAIL: ['this host does not have the address', 'use one that `ip address` shows'],
  ENOTFOUND: ['the name does not exist', 'use an address of this host'],
  ENOENT: ['the folder does not exist', 'make it'],
  ENOTSOCK: ['there is a file of that name', 'remove it'],
}
