import { parseInt64 } from '../../lib/int64.ts'
import type { ArgView } from '../arg-view.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import type { ClientView } from '../views.ts'
import { type ClientKind, clientKind, kindOf } from './client-kind.ts'
import { quoted } from './quoted.ts'
import { tenantOf } from './tenant-of.ts'

/** What a client must be to be killed; what is undefined does not matter. */
interface Filter {
  id?: bigint
  address?: string
  localAddress?: string
  kind?: ClientKind
  user?: string
  /** Seconds. */
  leastAge?: number
  skipMe: boolean
}

/** No address, and no name of a user, is longer. */
const TEXT_BYTES = 1024

/**
 * CLIENT KILL address, CLIENT KILL option value …, of the tenant's own clients of this process. MAXAGE as in Redis
 * 7.4. Whoever kills itself is answered first. https://redis.io/docs/latest/commands/client-kill/
 */
function kill(call: LocalCall): void {
  const { args, reply } = call
  if (args.length === 3) {
    const killed = killAll(call, { address: textOf(args, 2), skipMe: false })
    if (killed === 0) reply.error('ERR No such client')
    else reply.simple('OK')
    return
  }
  const filter = readFilter(call)
  if (typeof filter === 'string') reply.error(filter)
  else reply.integer(killAll(call, filter))
}

/** The options, or an error; they are read in order, and the first wrong one is told. */
function readFilter({ args, session }: LocalCall): Filter | string {
  const filter: Filter = { skipMe: true }
  for (let i = 2; i < args.length; i += 2) {
    if (i + 1 === args.length) return SYNTAX
    if (args.is(i, 'ID')) {
      filter.id = parseInt64(args.text(i + 1, 21))
      if (filter.id === undefined || filter.id < 1n) return 'ERR client-id should be greater than 0'
    } else if (args.is(i, 'MAXAGE')) {
      const age = parseInt64(args.text(i + 1, 21))
      if (age === undefined) return 'ERR maxage is not an integer or out of range'
      if (age < 1n) return 'ERR maxage should be greater than 0'
      filter.leastAge = Number(age)
    } else if (args.is(i, 'TYPE')) {
      filter.kind = clientKind(args, i + 1)
      if (filter.kind === undefined) return `ERR Unknown client type '${quoted(args, i + 1)}'`
    } else if (args.is(i, 'ADDR')) filter.address = textOf(args, i + 1)
    else if (args.is(i, 'LADDR')) filter.localAddress = textOf(args, i + 1)
    else if (args.is(i, 'USER')) {
      filter.user = textOf(args, i + 1)
      if (!tenantOf(session).users.has(filter.user)) return `ERR No such user '${quoted(args, i + 1)}'`
    } else if (args.is(i, 'SKIPME')) {
      filter.skipMe = args.is(i + 1, 'YES')
      if (!filter.skipMe && !args.is(i + 1, 'NO')) return SYNTAX
    } else return SYNTAX
  }
  return filter
}

const SYNTAX = 'ERR syntax error'

/** Names in the configuration, paths of unix sockets among them, are UTF-8. */
function textOf(args: ArgView, i: number): string {
  return Buffer.from(args.text(i, TEXT_BYTES), 'latin1').toString()
}

/** How many. */
function killAll(call: LocalCall, filter: Filter): number {
  let killed = 0
  const now = call.server.now()
  for (const client of call.server.clientsOf(tenantOf(call.session))) {
    if (!matches(client, filter, now)) continue
    if (client.session !== call.session) client.kill()
    else if (filter.skipMe) continue
    else call.close()
    killed++
  }
  return killed
}

function matches(client: ClientView, filter: Filter, now: number): boolean {
  const { session } = client
  return (
    (filter.id === undefined || BigInt(session.id) === filter.id) &&
    (filter.address === undefined || session.address === filter.address) &&
    (filter.localAddress === undefined || session.localAddress === filter.localAddress) &&
    (filter.kind === undefined || kindOf(client) === filter.kind) &&
    (filter.user === undefined || session.user === filter.user) &&
    (filter.leastAge === undefined || Math.floor((now - session.since) / 1000) >= filter.leastAge)
  )
}

export const quirks: Readonly<Record<string, Quirk>> = { 'client|kill': { answer: kill } }
