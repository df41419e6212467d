import { Redis } from 'ioredis'
import type { CommandTable } from '../commands/lookup.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { buildTable } from '../commands/table.ts'
import { readUpstreamUrl, type UpstreamUrl } from '../config/address.ts'
import { formatAddress } from '../upstream/address.ts'
import { EXIT, Failure, type Terminal, UsageError } from './terminal.ts'

/** Milliseconds for connecting and for INFO. */
const PATIENCE = 5000

/** `keyward audit --upstream URL`: what a move of this Redis' clients to a tenant would mean for their commands. */
export async function audit(flag: string | undefined, terminal: Terminal): Promise<number> {
  const text = flag ?? terminal.env.KEYWARD_UPSTREAM
  if (text === undefined) throw new UsageError('which Redis? give --upstream redis://host:port, or KEYWARD_UPSTREAM')
  const url = readUpstreamUrl(text)
  if (!('value' in url)) throw new UsageError(`--upstream: ${url.message}; ${url.cure}`)
  const used = parseCommandStats(await readCommandStats(url.value))
  const rows = judge(used, buildTable())
  for (const line of layout(rows)) terminal.out(`${line}\n`)
  terminal.out(`\n${conclusion(rows)}\n`)
  return EXIT.OK
}

async function readCommandStats(url: UpstreamUrl): Promise<string> {
  const { address } = url
  const redis = new Redis({
    ...('path' in address ? { path: address.path } : { host: address.host, port: address.port }),
    username: url.user,
    password: url.password,
    tls: url.tls ? {} : undefined,
    lazyConnect: true,
    connectTimeout: PATIENCE,
    commandTimeout: PATIENCE,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  })
  // connect() and info() reject with what went wrong; the event only repeats it.
  let cause: Error | undefined
  redis.on('error', (error: Error) => {
    cause = error
  })
  try {
    await redis.connect()
    return await redis.info('commandstats')
  } catch (error) {
    const { message } = cause ?? (error as Error)
    throw new Failure(`${formatAddress(address)}: ${message}`, 'check the url, and that its user may run INFO')
  } finally {
    redis.disconnect()
  }
}

/** Calls by command, as `INFO commandstats` names it: "get", "client|list". */
export function parseCommandStats(info: string): ReadonlyMap<string, number> {
  const used = new Map<string, number>()
  for (const line of info.split(/\r?\n/)) {
    const match = /^cmdstat_(.+?):calls=(\d+)/.exec(line)
    if (match !== null && match[2] !== '0') used.set(match[1].toLowerCase(), Number(match[2]))
  }
  return used
}

export interface AuditRow {
  readonly command: string
  readonly calls: number
  /** `some`: open, but not with all arguments, not without an extension, or not on every server. `pass`: for a pass-through tenant only. */
  readonly tenant: 'yes' | 'some' | 'pass' | 'no'
  readonly why: string
}

/** What a prefixed tenant could do with each command; the hindrances first, then by calls. */
export function judge(used: ReadonlyMap<string, number>, table: CommandTable): readonly AuditRow[] {
  const rows = [...used].map(([command, calls]) => ({ command, calls, ...verdict(table.byName(command)) }))
  return rows.sort((a, b) => ORDER.indexOf(a.tenant) - ORDER.indexOf(b.tenant) || b.calls - a.calls)
}

const ORDER = ['no', 'pass', 'some', 'yes'] as const

function verdict(spec: CommandSpec | undefined): Pick<AuditRow, 'tenant' | 'why'> {
  if (spec === undefined) return { tenant: 'no', why: 'this version does not know it' }
  if (spec.open === 'refused') return { tenant: 'no', why: spec.refusal }
  if (spec.open === 'script')
    return { tenant: 'some', why: "if the upstream's user may do ACL SETUSER, or for trustedScripts" }
  if (spec.open === 'function') return { tenant: 'some', why: 'only for tenants with `functions: trusted`' }
  if (spec.open === 'passthrough') return { tenant: 'pass', why: spec.refusal }
  if (spec.open === 'extension') return { tenant: 'some', why: spec.refusal }
  if (spec.presence !== 'always') return { tenant: 'some', why: 'if the upstream has it, too' }
  if (spec.quirk.refuses !== undefined) return { tenant: 'some', why: 'not with every argument; try keyward explain' }
  return { tenant: 'yes', why: '' }
}

function layout(rows: readonly AuditRow[]): readonly string[] {
  if (rows.length === 0) return ['no command has been called']
  const name = Math.max(7, ...rows.map((row) => row.command.length))
  const calls = Math.max(5, ...rows.map((row) => String(row.calls).length))
  const line = (a: string, b: string, c: string, d: string) =>
    `${a.padEnd(name)}  ${b.padStart(calls)}  ${c.padEnd(6)}  ${d}`.trimEnd()
  return [
    line('command', 'calls', 'tenant', 'why'),
    ...rows.map((row) => line(row.command.replace('|', ' '), String(row.calls), row.tenant, row.why)),
  ]
}

function conclusion(rows: readonly AuditRow[]): string {
  const count = (verdicts: readonly AuditRow['tenant'][]) => rows.filter((row) => verdicts.includes(row.tenant)).length
  const open = count(['yes', 'some'])
  return [
    `${open} of ${rows.length} commands in use are open for a tenant, ${count(['pass'])} only for a pass-through tenant`,
    `(prefix "", alone on its upstream), ${count(['no'])} for none. Calls count since the server started or since CONFIG`,
    'RESETSTAT; those of operators, replicas and scripts are among them.',
  ].join('\n')
}
