import { readFileSync } from 'node:fs'
import { readSocketAddress } from './address.ts'
import type { Config } from './config.ts'
import type { Path, Report } from './problem.ts'
import type { FileShape } from './schema.ts'
import { readSource } from './source.ts'
import type { Reading } from './units.ts'

/** `raw`: the key `admin` as the file has it, which tells a mode that was given from the default. */
export function resolveAdmin(shape: FileShape['admin'], raw: unknown, report: Report): Config['admin'] {
  if (shape === undefined) return undefined
  const { address, socket, mode } = shape
  const path: Path = ['admin']
  if (
    socket === undefined &&
    typeof raw === 'object' &&
    raw !== null &&
    'mode' in raw &&
    !report.has([...path, 'socket'])
  ) {
    report.add([...path, 'mode'], 'only the socket has a mode, and there is none', 'add `socket`, or remove it', 'key')
  }
  if (address === undefined && socket === undefined && !report.hasInside(path)) {
    const cure = 'add address: 127.0.0.1:9380 or socket: unix:/run/keyward/admin.sock, or remove `admin`'
    report.add(path, 'has neither address nor socket', cure, 'key')
  }
  return { address, socket: socket === undefined ? undefined : { path: socket.path, mode } }
}

/**
 * The path of the admin socket in a configuration file, of which nothing else has to be right: neither the passwords of its
 * environment nor a half-made change may stand between an operator and a running process.
 */
export function readAdminSocket(file: string): Reading<string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? error
    return { message: `cannot be read: ${code}`, cure: 'check the path and its permissions, or give --socket' }
  }
  const { value, faults } = readSource(text)
  if (value === undefined && faults.length > 0) return { message: faults[0].message, cure: faults[0].cure }
  const socket = (value as { readonly admin?: { readonly socket?: unknown } | null } | null | undefined)?.admin?.socket
  if (socket === undefined || socket === null) {
    return { message: 'has no admin.socket', cure: 'add admin: {socket: unix:/run/keyward/admin.sock} and send SIGHUP' }
  }
  const reading = readSocketAddress(socket)
  return 'message' in reading ? reading : { value: reading.value.path }
}
