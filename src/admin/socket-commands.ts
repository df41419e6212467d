import type { ArgView } from '../commands/arg-view.ts'
import { unknownCommand } from '../commands/refusal.ts'
import { ERRORS } from '../errors.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import { type ProxyReply, proxyCommand } from './proxy-command.ts'
import type { SocketSource } from './socket-source.ts'

export interface AdminLog {
  info(fields: object, text: string): void
  error(fields: object, text: string): void
}

export interface SocketReply {
  readonly bytes: Buffer
  /** Nothing comes after it. */
  readonly close: boolean
}

/** Answers one request of the admin socket: PROXY, and what redis-cli and client libraries ask by themselves. Never rejects. */
export async function answer(args: ArgView, source: SocketSource, log: AdminLog): Promise<SocketReply> {
  const reply = new ReplyWriter()
  if (args.is(0, 'PROXY')) await proxy(args, reply, source, log)
  else if (args.is(0, 'PING') && args.length === 1) reply.simple('PONG')
  else if (args.is(0, 'PING') && args.length === 2) reply.bulk(args.bytes(1))
  else if (args.is(0, 'PING')) reply.error("ERR wrong number of arguments for 'ping' command")
  else if (args.is(0, 'AUTH')) auth(args, reply)
  else if (args.is(0, 'QUIT')) reply.simple('OK')
  // redis-cli asks what there is to complete and hint at; it has hints of its own for nothing.
  else if (args.is(0, 'COMMAND')) reply.array(0)
  else reply.error(unknownCommand(args))
  return { bytes: reply.take(), close: args.is(0, 'QUIT') }
}

/** Who may open the socket is in; that is how Redis answers where no password is set. */
function auth(args: ArgView, reply: ReplyWriter): void {
  if (args.length === 1) reply.error("ERR wrong number of arguments for 'auth' command")
  else if (args.length > 3) reply.error('ERR syntax error')
  else if (args.length === 2) {
    reply.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  } else if (args.text(1, 128) === 'default') reply.simple('OK')
  else reply.error(ERRORS.WRONGPASS.reply)
}

async function proxy(args: ArgView, reply: ReplyWriter, source: SocketSource, log: AdminLog): Promise<void> {
  if (args.length === 1) {
    reply.error("ERR wrong number of arguments for 'proxy' command")
    return
  }
  const request = shown(args)
  try {
    const result = await proxyCommand(args, source)
    if (result === undefined) reply.error(`ERR unknown subcommand '${args.text(1, 128)}'. Try PROXY HELP.`)
    else {
      if ('line' in result) log.info({ request, reply: result.line }, 'admin socket')
      write(result, reply)
    }
  } catch (error) {
    const { message, cure } = error as Error & { readonly cure?: unknown }
    if (typeof cure === 'string') {
      log.info({ request, reply: message, cure }, 'admin socket: refused')
      reply.error(bytesOf(`ERR ${message}; ${cure}`))
    } else {
      log.error({ err: error, request }, 'admin socket: request failed')
      reply.error('ERR internal error; see the log')
    }
  }
}

function write(result: ProxyReply, reply: ReplyWriter): void {
  if ('text' in result) reply.bulk(result.text)
  else if ('line' in result) reply.simple(bytesOf(result.line))
  else {
    reply.array(result.lines.length)
    for (const line of result.lines) reply.simple(line)
  }
}

/** Text as ReplyWriter takes it in lines: one character for each byte of its UTF-8, no line ends. */
function bytesOf(text: string): string {
  return Buffer.from(text.replace(/[\r\n]+/g, ' ')).toString('latin1')
}

/** For the log: whatever stands there, it is short. */
function shown(args: ArgView): string {
  return args
    .all()
    .slice(0, 8)
    .map((word) => word.toString('utf8', 0, 64))
    .join(' ')
}
