import { parseInt64 } from '../../lib/int64.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { help } from './help.ts'
import { tenantOf } from './tenant-of.ts'

const HELP = [
  'SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'GET [<count>]',
  '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
  '    Entries are made of:',
  '    id, timestamp, time in microseconds, arguments array, client IP and port,',
  '    client name',
  'LEN',
  '    Return the length of the slowlog.',
  'RESET',
  '    Reset the slowlog.',
  'HELP',
  '    Prints this help.',
]

/** SLOWLOG GET [count] https://redis.io/docs/latest/commands/slowlog-get/ */
function get(call: LocalCall): void {
  const { args, reply } = call
  if (args.length > 3) {
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${args.text(1, 3)}'. Try SLOWLOG HELP.`)
    return
  }
  const count = args.length === 3 ? parseInt64(args.text(2, 21)) : 10n
  if (count === undefined || count < -1n) {
    reply.error('ERR count should be greater than or equal to -1')
    return
  }
  const log = call.server.slowlog(tenantOf(call.session))
  const entries = log.newest(count === -1n ? log.length : Number(count))
  reply.array(entries.length)
  for (const entry of entries) {
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.time)
    reply.integer(entry.microseconds)
    reply.array(entry.args.length)
    for (const arg of entry.args) reply.bulk(arg)
    reply.bulk(entry.address)
    reply.bulk(entry.name)
  }
}

/** The tenant's own slow requests, as this process saw them: from being sent to the reply. */
export const quirks: Readonly<Record<string, Quirk>> = {
  'slowlog|get': { answer: get },
  'slowlog|help': help(HELP),
  'slowlog|len': { answer: (call) => call.reply.integer(call.server.slowlog(tenantOf(call.session)).length) },
  'slowlog|reset': {
    answer(call) {
      call.server.slowlog(tenantOf(call.session)).reset()
      call.reply.simple('OK')
    },
  },
}
