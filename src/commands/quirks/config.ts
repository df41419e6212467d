import { globMatches } from '../../lib/glob.ts'
import { databaseCount } from '../../session/tenant.ts'
import type { ArgView } from '../arg-view.ts'
import { unknownSubcommand } from '../refusal.ts'
import type { CommandSpec, LocalCall, Quirk } from '../spec.ts'
import { help } from './help.ts'
import { listeningPort } from './listening-port.ts'
import { tenantOf } from './tenant-of.ts'
import { wholeServer } from './whole-server.ts'

/** No name is nearly as long. A limit, because matching takes time in proportion to the pattern. */
const PATTERN_BYTES = 1024

/** What Redis says where nobody set a limit. */
export const DEFAULT_MAX_CLIENTS = 10_000

const HELP = [
  'CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'HELP',
  '    Prints this help.',
]

type Setting = string | ((call: LocalCall) => string)

/**
 * Parameters as a server of the tenant's own would have them. What is true of this tenant is told; what is the
 * upstream's own business is either Redis' default, where clients ask before they work (`save`, `appendonly`), or
 * left out, where a wrong answer would be worse than none (the encodings' limits, files, passwords).
 */
const SETTINGS: Readonly<Record<string, Setting>> = {
  appendfsync: 'everysec',
  appendonly: 'no',
  bind: '* -::*',
  'client-output-buffer-limit': (call) =>
    `normal ${tenantOf(call.session).buffers.output} 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60`,
  'client-query-buffer-limit': (call) => String(tenantOf(call.session).buffers.request),
  'cluster-enabled': 'no',
  daemonize: 'no',
  databases: (call) => String(databaseCount(tenantOf(call.session))),
  hz: '10',
  'io-threads': '1',
  // LATENCY has nothing to tell.
  'latency-monitor-threshold': '0',
  loglevel: 'notice',
  maxclients: (call) => String(tenantOf(call.session).maxClients ?? DEFAULT_MAX_CLIENTS),
  // A limit of the whole server, not of this tenant, which has none.
  maxmemory: (call) => wholeServer(call, 'maxmemory', '0'),
  // But what the server does at that limit, it does to this tenant's keys: queues built on Redis check for it.
  'maxmemory-policy': evictionPolicy,
  'min-replicas-to-write': '0',
  'min-slaves-to-write': '0',
  'notify-keyspace-events': (call) => call.server.events(tenantOf(call.session)),
  port: (call) => String(listeningPort(call.session)),
  'proto-max-bulk-len': '536870912',
  'protected-mode': 'no',
  'replica-read-only': 'yes',
  replicaof: '',
  save: '',
  'slave-read-only': 'yes',
  slaveof: '',
  // Microseconds.
  'slowlog-log-slower-than': (call) => String(tenantOf(call.session).slowlog.slowerThan * 1000),
  'slowlog-max-len': (call) => String(tenantOf(call.session).slowlog.entries),
  'tcp-backlog': '511',
  'tcp-keepalive': '300',
  timeout: '0',
  'tls-port': '0',
  unixsocket: '',
}

const NAMES = Object.keys(SETTINGS)
const NAME_BYTES = NAMES.map((name) => Buffer.from(name, 'latin1'))

/** What happens to keys when the server is full, as the upstream says; Redis' default until it is known. */
export function evictionPolicy(call: LocalCall): string {
  return call.server.upstream(tenantOf(call.session)).info.get('maxmemory_policy') ?? 'noeviction'
}

/**
 * CONFIG GET pattern …: each parameter once, under the name by which it was found first. A name without wildcards is
 * echoed as the client wrote it, as Redis does.
 */
function get(call: LocalCall): void {
  const { args, reply } = call
  const found = new Map<string, string>()
  for (let i = 2; i < args.length && found.size < NAMES.length; i++) {
    const text = args.text(i, PATTERN_BYTES + 1)
    if (text.length > PATTERN_BYTES) continue
    if (!/[*?[]/.test(text)) {
      const name = text.toLowerCase()
      if (Object.hasOwn(SETTINGS, name) && !found.has(name)) found.set(name, text)
      continue
    }
    const pattern = Buffer.from(text, 'latin1')
    for (let k = 0; k < NAMES.length; k++) {
      if (!found.has(NAMES[k]) && globMatches(pattern, NAME_BYTES[k], true)) found.set(NAMES[k], NAMES[k])
    }
  }
  reply.map(found.size)
  for (const [name, shown] of found) {
    const setting = SETTINGS[name]
    reply.bulk(shown)
    reply.bulk(typeof setting === 'string' ? setting : setting(call))
  }
}

/** What a tenant may set: its own notifications of the keyspace, which frameworks switch on when they start. */
const EVENTS = 'notify-keyspace-events'
const EVENT_LETTERS = 'Ag$lshzxeKEtmdn'

/** Why CONFIG SET parameter value … is not open with these parameters. */
function refusesSet(args: ArgView): string | undefined {
  for (let i = 2; i < args.length; i += 2) {
    if (args.text(i, PATTERN_BYTES).toLowerCase() !== EVENTS)
      return 'the configuration of the server belongs to its operator'
  }
  return undefined
}

function set(call: LocalCall): void {
  const { args, reply, server, session } = call
  const refusal = refusesSet(args)
  const fails = (why: string) =>
    reply.error(`ERR CONFIG SET failed (possibly related to argument '${EVENTS}') - ${why}`)
  if (refusal !== undefined) reply.error(unknownSubcommand(args, server.command('config') as CommandSpec))
  else if (args.length % 2 === 1) reply.error('ERR syntax error')
  else if (args.length > 4) fails('duplicate parameter')
  else if (server.setEvents(tenantOf(session), args.text(3, PATTERN_BYTES))) reply.simple('OK')
  else fails(`Invalid event class character. Use '${EVENT_LETTERS}'.`)
}

/** CONFIG for reading what is harmless; the rest of it belongs to the operator and is refused. */
export const quirks: Readonly<Record<string, Quirk>> = {
  'config|get': { answer: get },
  'config|help': help(HELP),
  'config|set': { answer: set, refuses: refusesSet },
}
