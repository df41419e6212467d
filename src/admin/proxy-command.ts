import type { ArgView } from '../commands/arg-view.ts'
import { findTarget, findTenant, findUpstream, type Named } from './operation-target.ts'
import { OperationFailed } from './operations.ts'
import type { SocketSource } from './socket-source.ts'

/** One line, or text of many, or a list of lines. */
export type ProxyReply = { readonly line: string } | { readonly text: string } | { readonly lines: readonly string[] }

/** Milliseconds that an operation has when the request does not say. */
export const PATIENCE = { pause: 10_000, failover: 60_000 } as const
const LONGEST = 3_600_000

const PAUSE = 'PAUSE [TENANT name | UPSTREAM name] [TIMEOUT milliseconds]'
const RESUME = 'RESUME [TENANT name | UPSTREAM name]'
const RECONNECT = 'RECONNECT [UPSTREAM name]'
const FAILOVER = 'FAILOVER [UPSTREAM name] [TIMEOUT milliseconds]'
const LIMITS = 'LIMITS [TENANT name]'

/** In the form of Redis' own HELP. */
const HELP = [
  'PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  PAUSE,
  '    Hold requests until RESUME; reply when nothing is under way upstream any more.',
  '    Default: everything, 10000 milliseconds.',
  RESUME,
  '    Let go on what PAUSE holds.',
  RECONNECT,
  '    Resolve names again and replace all connections, without losing a request. Default: all upstreams.',
  FAILOVER,
  '    A planned failover by Sentinel that loses nothing. Default: the only upstream that has sentinels,',
  '    60000 milliseconds.',
  'STATUS',
  '    How this process is.',
  LIMITS,
  '    The rate limits, what they have done, and whom they rejected most. Default: of all tenants.',
  'HELP',
  '    Print this help.',
] as const

/**
 * `PROXY subcommand …`. What PAUSE and FAILOVER wait for, the reply waits for. undefined: there is no such subcommand. Throws
 * OperationFailed, and what the operation throws.
 */
export async function proxyCommand(args: ArgView, source: SocketSource): Promise<ProxyReply | undefined> {
  const { operations } = source
  if (args.is(1, 'PAUSE')) {
    const { named, patience = PATIENCE.pause } = readOptions(args, PAUSE)
    return { line: await operations.pause(findTarget(named, source), patience) }
  }
  if (args.is(1, 'RESUME'))
    return { line: await operations.resume(findTarget(readOptions(args, RESUME).named, source)) }
  if (args.is(1, 'RECONNECT')) {
    return { line: await operations.reconnect(findUpstream(readOptions(args, RECONNECT).named, source)) }
  }
  if (args.is(1, 'FAILOVER')) {
    const { named, patience = PATIENCE.failover } = readOptions(args, FAILOVER)
    return { line: await operations.failover(findUpstream(named, source), patience) }
  }
  if (args.is(1, 'STATUS') && args.length === 2) return { text: source.status() }
  if (args.is(1, 'LIMITS')) return { text: source.limits(findTenant(readOptions(args, LIMITS).named, source)) }
  if (args.is(1, 'HELP') && args.length === 2) return { lines: HELP }
  return undefined
}

interface Options {
  readonly named: Named | undefined
  readonly patience: number | undefined
}

/** What stands behind the subcommand. `usage` says which keywords it takes. */
function readOptions(args: ArgView, usage: string): Options {
  let named: Named | undefined
  let patience: number | undefined
  for (let i = 2; i < args.length; i++) {
    const keyword = (['TENANT', 'UPSTREAM', 'TIMEOUT'] as const).find((one) => args.is(i, one))
    const value = keyword === undefined ? i : ++i
    if (value >= args.length || (keyword !== undefined && !usage.includes(keyword))) throw wrong(usage)
    if (keyword === 'TIMEOUT') {
      if (patience !== undefined) throw wrong(usage)
      patience = readTimeout(args, value)
    } else {
      if (named !== undefined) throw wrong(usage)
      const kind = keyword === undefined ? undefined : keyword === 'TENANT' ? 'tenant' : 'upstream'
      named = { kind, name: args.text(value, 128) }
    }
  }
  return { named, patience }
}

function wrong(usage: string): OperationFailed {
  return new OperationFailed('syntax error', `write PROXY ${usage}`)
}

function readTimeout(args: ArgView, i: number): number {
  const value = args.integer(i)
  if (value !== undefined && value >= 1 && value <= LONGEST) return value
  throw new OperationFailed(
    'timeout is not an integer or out of range',
    `write whole milliseconds, from 1 to ${LONGEST} (an hour)`,
  )
}
