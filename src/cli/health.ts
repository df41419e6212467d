import { get } from 'node:http'
import { readHostPort } from '../config/address.ts'
import { loadConfig } from '../config/load.ts'
import { formatAddress } from '../upstream/address.ts'
import { EXIT, type Terminal, UsageError } from './terminal.ts'

const DEFAULT_ADMIN = '127.0.0.1:9380'
/** Milliseconds. Probes are asked often; one that hangs must not pile up. */
const PATIENCE = 2000

export interface HealthOptions {
  readonly ready?: boolean
  readonly admin?: string
}

/** `keyward health [--ready]`: exit 0 when the admin server says so, else 1. */
export async function health(options: HealthOptions, terminal: Terminal): Promise<number> {
  const address = adminAddress(options, terminal)
  const path = options.ready === true ? '/readyz' : '/healthz'
  try {
    const { status, body } = await ask(address, path)
    if (status === 200) {
      terminal.out(`${body}\n`)
      return EXIT.OK
    }
    terminal.err(`keyward: ${body}\n`)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    terminal.err(`keyward: no answer from http://${formatAddress(address)}${path}: ${reason}\n`)
  }
  return EXIT.FAILED
}

/** Where to ask: an address that means every interface is asked on loopback. */
function adminAddress(options: HealthOptions, { env }: Terminal): { host: string; port: number } {
  const text = options.admin ?? (env.KEYWARD_ADMIN || undefined)
  const file = env.KEYWARD_CONFIG || undefined
  const configured = text === undefined && file !== undefined ? loadConfig(file, env).admin?.address : undefined
  const reading = configured === undefined ? readHostPort(text ?? DEFAULT_ADMIN) : { value: configured }
  if (!('value' in reading)) throw new UsageError(`--admin: ${reading.message}; ${reading.cure}`)
  const { host, port } = reading.value
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port }
}

function ask({ host, port }: { host: string; port: number }, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(PATIENCE) }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (body.length < 4096) body += text
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: reasonOf(body.trim()) }))
    })
    request.on('error', reject)
  })
}

/** The error text of the admin server's one error shape, or the body as it is. */
function reasonOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown }
    return typeof error === 'string' ? error : body
  } catch {
    return body
  }
}
