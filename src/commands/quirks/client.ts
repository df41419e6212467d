import { ERRORS } from '../../errors.ts'
import { parseInt64 } from '../../lib/int64.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import type { ClientView } from '../views.ts'
import { clientKind, kindOf } from './client-kind.ts'
import { clientLine } from './client-line.ts'
import { clientAttribute, setClientName } from './client-name.ts'
import { help } from './help.ts'
import { quoted } from './quoted.ts'
import { tenantOf } from './tenant-of.ts'

const SYNTAX = 'ERR syntax error'

/** What a tenant may use of CLIENT, in Redis' words; the rest of Redis' list would be a promise that we break. */
const HELP = [
  'CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
  'HELP',
  '    Prints this help.',
]

/** The reply to CLIENT LIST is built at once; past the tenant's output limit the client is cut off, as in Redis. */
function sendLines(call: LocalCall, clients: Iterable<ClientView>): void {
  const now = call.server.now()
  const clock = performance.now()
  const limit = tenantOf(call.session).buffers.output
  let text = ''
  for (const client of clients) {
    const { session } = client
    text += `${clientLine(client, session === call.session ? call.spec.name : session.lastCommand, now, clock)}\n`
    if (text.length <= limit) continue
    call.reply.error(ERRORS.OUTPUTLIMIT.reply)
    call.close()
    return
  }
  call.reply.verbatim('txt', text)
}

/** CLIENT LIST [TYPE type | ID id …]: this tenant's clients of this process. */
function list(call: LocalCall): void {
  const { args, reply } = call
  if (args.length === 2) sendLines(call, clientsOf(call))
  else if (args.length === 4 && args.is(2, 'TYPE')) {
    const kind = clientKind(args, 3)
    if (kind === undefined) reply.error(`ERR Unknown client type '${quoted(args, 3)}'`)
    else
      sendLines(
        call,
        [...clientsOf(call)].filter((client) => kindOf(client) === kind),
      )
  } else if (args.length > 3 && args.is(2, 'ID')) listById(call)
  else reply.error(SYNTAX)
}

function clientsOf(call: LocalCall): Iterable<ClientView> {
  return call.server.clientsOf(tenantOf(call.session))
}

/** CLIENT INFO */
function info(call: LocalCall): void {
  for (const client of clientsOf(call)) {
    if (client.session !== call.session) continue
    sendLines(call, [client])
    return
  }
}

/** In the order that was asked for, each as often as it was asked for; ids of nobody, or of another tenant's, are left out. */
function listById(call: LocalCall): void {
  const { args } = call
  const byId = new Map<number, ClientView>()
  for (const client of clientsOf(call)) byId.set(client.session.id, client)
  const wanted: ClientView[] = []
  for (let i = 3; i < args.length; i++) {
    const id = parseInt64(args.text(i, 21))
    if (id === undefined) {
      call.reply.error('ERR Invalid client ID')
      return
    }
    const client = byId.get(Number(id))
    if (client !== undefined) wanted.push(client)
  }
  sendLines(call, wanted)
}

/** SETINFO as in Redis 7.2: what client library talks. */
function setInfo(call: LocalCall): void {
  const { args, reply, session } = call
  const isName = args.is(2, 'LIB-NAME')
  if (!isName && !args.is(2, 'LIB-VER')) {
    reply.error(`ERR Unrecognized option '${quoted(args, 2)}'`)
    return
  }
  const value = clientAttribute(args, 3)
  if (value === undefined) {
    reply.error(`ERR ${quoted(args, 2)} cannot contain spaces, newlines or special characters.`)
    return
  }
  if (isName) session.libName = value
  else session.libVersion = value
  reply.simple('OK')
}

/**
 * REPLY OFF and SKIP have no reply themselves, so nothing is written for them here. Dropping the replies of what
 * follows is the reply queue's work.
 */
function setReplyMode({ args, reply, session }: LocalCall): void {
  if (args.is(2, 'ON')) {
    session.replyMode = 'on'
    reply.simple('OK')
  } else if (args.is(2, 'OFF')) session.replyMode = 'off'
  else if (args.is(2, 'SKIP')) {
    if (session.replyMode !== 'off') session.replyMode = 'skip'
  } else reply.error(SYNTAX)
}

/** ON or OFF; anything else is answered here. */
function onOrOff({ args, reply }: LocalCall): boolean | undefined {
  const on = args.is(2, 'ON')
  if (on || args.is(2, 'OFF')) {
    reply.simple('OK')
    return on
  }
  reply.error(SYNTAX)
  return undefined
}

/**
 * CLIENT for what is a matter of this client's session alone. NO-EVICT and NO-TOUCH are kept and shown in CLIENT LIST
 * but change nothing upstream: lanes are never evicted, and are shared by clients that do touch.
 */
export const quirks: Readonly<Record<string, Quirk>> = {
  // What a client can do besides, such as following a redirection. Nobody is redirected here, so all is well, as for names that
  // the server does not know. https://valkey.io/commands/client-capa/
  'client|capa': { answer: ({ reply }) => reply.simple('OK') },
  'client|getname': {
    answer({ reply, session }) {
      if (session.name === '') reply.null()
      else reply.bulk(session.name)
    },
  },
  'client|help': help(HELP),
  'client|id': { answer: (call) => call.reply.integer(call.session.id) },
  'client|info': { answer: info },
  'client|list': { answer: list },
  'client|no-evict': {
    answer(call) {
      call.session.noEvict = onOrOff(call) ?? call.session.noEvict
    },
  },
  'client|no-touch': {
    answer(call) {
      call.session.noTouch = onOrOff(call) ?? call.session.noTouch
    },
  },
  'client|reply': { answer: setReplyMode },
  'client|setinfo': { answer: setInfo },
  'client|setname': {
    answer(call) {
      if (setClientName(call, 2)) call.reply.simple('OK')
    },
  },
}
