import { ERRORS } from '../../errors.ts'
import { parseInt64 } from '../../lib/int64.ts'
import type { Authenticator, Login } from '../../session/session.ts'
import { databaseCount } from '../../session/tenant.ts'
import type { ArgView } from '../arg-view.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { setClientName } from './client-name.ts'
import { databaseNumber } from './database-number.ts'
import { quoted } from './quoted.ts'
import { tenantOf } from './tenant-of.ts'

/** Enough for any name of a configured user; a longer one is nobody's. */
const USER_BYTES = 1024

/** The configuration is UTF-8, and so are its names on the wire. */
function userName(args: ArgView, i: number): string {
  return Buffer.from(args.text(i, USER_BYTES), 'latin1').toString()
}

/** Who enters with this name and password, if anybody. */
function identify(authenticator: Authenticator, user: string, password: Buffer): Login | undefined {
  const login = authenticator.login(user, password)
  if (login !== undefined) return login
  // As in Redis, a user without a password takes any, and clients that always send one can connect.
  const { anonymous } = authenticator
  return anonymous !== undefined && user === anonymous.user && needsNoPassword(anonymous) ? anonymous : undefined
}

function needsNoPassword(login: Login): boolean {
  return login.tenant.users.get(login.user)?.digest === undefined
}

/**
 * Logs the client in; false when it may not, which has been answered then and has changed nothing. `protocol` is
 * what the client will speak: a tenant whose upstream cannot speak it cannot be entered with it.
 */
function logIn(call: LocalCall, user: string, password: Buffer, protocol: 2 | 3): boolean {
  const login = identify(call.session.authenticator, user, password)
  if (login === undefined) {
    call.reply.error(ERRORS.WRONGPASS.reply)
    return false
  }
  if (protocol === 3 && !call.server.upstream(login.tenant).resp3) {
    call.reply.error(ERRORS.NOPROTO.reply)
    return false
  }
  call.session.login(login)
  return true
}

function auth(call: LocalCall): void {
  const { args, session, reply } = call
  if (args.length > 3) {
    reply.error('ERR syntax error')
    return
  }
  const { anonymous } = session.authenticator
  if (args.length === 2 && anonymous !== undefined && needsNoPassword(anonymous)) {
    reply.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
    return
  }
  const user = args.length === 2 ? 'default' : userName(args, 1)
  if (logIn(call, user, args.bytes(args.length - 1), session.protocol)) reply.simple('OK')
}

/**
 * HELLO [protocol [AUTH user password] [SETNAME name]]. As in Redis 7.0 options take effect one by one, also when a
 * later one is wrong; the protocol changes last, and the reply is the first in it.
 */
function hello(call: LocalCall): void {
  const { args, session, reply } = call
  let protocol = session.protocol
  if (args.length > 1) {
    const asked = parseInt64(args.text(1, 21))
    if (asked === undefined) {
      reply.error('ERR Protocol version is not an integer or out of range')
      return
    }
    if (asked !== 2n && asked !== 3n) {
      reply.error(ERRORS.NOPROTO.reply)
      return
    }
    protocol = asked === 2n ? 2 : 3
  }
  for (let i = 2; i < args.length; i++) {
    const more = args.length - 1 - i
    if (more >= 2 && args.is(i, 'AUTH')) {
      if (!logIn(call, userName(args, i + 1), args.bytes(i + 2), protocol)) return
      i += 2
    } else if (more >= 1 && args.is(i, 'SETNAME')) {
      if (!setClientName(call, i + 1)) return
      i++
    } else {
      reply.error(`ERR Syntax error in HELLO option '${quoted(args, i)}'`)
      return
    }
  }
  if (session.tenant === undefined) {
    reply.error(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    )
    return
  }
  const upstream = call.server.upstream(session.tenant)
  if (protocol === 3 && !upstream.resp3) {
    reply.error(ERRORS.NOPROTO.reply)
    return
  }
  speak(call, protocol)
  const valkey = upstream.info.get('valkey_version')
  reply.map(7)
  reply.bulk('server')
  reply.bulk(valkey === undefined ? 'redis' : 'valkey')
  reply.bulk('version')
  reply.bulk(valkey ?? upstream.redisVersion)
  reply.bulk('proto')
  reply.integer(protocol)
  reply.bulk('id')
  reply.integer(session.id)
  reply.bulk('mode')
  reply.bulk('standalone')
  reply.bulk('role')
  reply.bulk('master')
  reply.bulk('modules')
  reply.array(0)
}

/** This reply and all later ones. */
function speak(call: LocalCall, protocol: 2 | 3): void {
  call.session.protocol = protocol
  call.reply.protocol = protocol
}

function select(call: LocalCall): void {
  const { args, session, reply } = call
  const db = databaseNumber(args, 1)
  if (typeof db === 'string') reply.error(db)
  else if (db < 0 || db >= databaseCount(tenantOf(session))) reply.error('ERR DB index is out of range')
  else {
    session.select(db)
    reply.simple('OK')
  }
}

function ping(call: LocalCall): void {
  const { args, reply, session } = call
  if (args.length > 2) reply.error("ERR wrong number of arguments for 'ping' command")
  else if (session.subscribed > 0 && session.protocol === 2) {
    // In RESP2 a subscribed client expects nothing but messages, and this looks like one.
    reply.array(2)
    reply.bulk('pong')
    reply.bulk(args.length === 2 ? args.bytes(1) : '')
  } else if (args.length === 2) reply.bulk(args.bytes(1))
  else reply.simple('PONG')
}

/** What a client says to and asks of its connection as such. None of it reaches the upstream. */
export const quirks: Readonly<Record<string, Quirk>> = {
  auth: { answer: auth },
  echo: { answer: (call) => call.reply.bulk(call.args.bytes(1)) },
  hello: { answer: hello },
  ping: { answer: ping },
  quit: {
    answer(call) {
      call.reply.simple('OK')
      call.close()
    },
  },
  reset: {
    answer(call) {
      call.session.reset()
      speak(call, call.session.protocol)
      call.reply.simple('RESET')
    },
  },
  select: { answer: select },
}
