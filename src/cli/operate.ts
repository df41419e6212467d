import { PATIENCE as PROXY_PATIENCE } from '../admin/proxy-command.ts'
import { readAdminSocket } from '../config/admin.ts'
import { readDuration } from '../config/units.ts'
import { ask } from './admin-client.ts'
import { EXIT, type Terminal, UsageError } from './terminal.ts'

export interface OperateOptions {
  readonly tenant?: string
  readonly upstream?: string
  readonly timeout?: string
  readonly socket?: string
  readonly config?: string
}

export type Operation = 'pause' | 'resume' | 'reconnect' | 'failover' | 'status' | 'limits'

/** Milliseconds that an operation may take when --timeout does not say. */
const PATIENCE: Readonly<Record<Operation, number>> = {
  ...PROXY_PATIENCE,
  resume: 10_000,
  reconnect: 120_000,
  status: 10_000,
  limits: 10_000,
}

/** For the way there and back. */
const MARGIN = 5000

/** `keyward pause` and the like: PROXY … to the admin socket of a running Keyward, whose answer is printed. */
export async function operate(
  operation: Operation,
  name: string | undefined,
  options: OperateOptions,
  terminal: Terminal,
): Promise<number> {
  const words = ['PROXY', operation.toUpperCase(), ...target(name, options)]
  let patience = PATIENCE[operation]
  if (options.timeout !== undefined) {
    const reading = readDuration(options.timeout)
    if ('message' in reading) throw new UsageError(`--timeout: ${reading.message}; ${reading.cure}`)
    patience = reading.value
    words.push('TIMEOUT', String(patience))
  }
  const said = await ask(socketPath(options, terminal), words, patience + MARGIN)
  terminal.out(`${said.trimEnd()}\n`)
  return EXIT.OK
}

function target(name: string | undefined, { tenant, upstream }: OperateOptions): readonly string[] {
  const given = [name, tenant, upstream].filter((one) => one !== undefined)
  if (given.length > 1) throw new UsageError(`one thing at a time, not ${given.join(' and ')}`)
  if (tenant !== undefined) return ['TENANT', tenant]
  if (upstream !== undefined) return ['UPSTREAM', upstream]
  return name === undefined ? [] : [name]
}

/** --socket, else what the configuration says. */
function socketPath({ socket, config }: OperateOptions, { env }: Terminal): string {
  if (socket !== undefined) return socket.replace(/^unix:/, '')
  const file = config ?? (env.KEYWARD_CONFIG || undefined)
  if (file === undefined) {
    throw new UsageError('which Keyward? give -c FILE (KEYWARD_CONFIG), its configuration, or --socket PATH')
  }
  const reading = readAdminSocket(file)
  if ('message' in reading) throw new UsageError(`${file}: ${reading.message}; ${reading.cure}`)
  return reading.value
}
