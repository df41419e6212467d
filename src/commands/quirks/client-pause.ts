import { parseInt64 } from '../../lib/int64.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

/**
 * CLIENT PAUSE milliseconds [WRITE | ALL]: what this tenant's clients send upstream waits in Keyward. The upstream
 * hears nothing of it. https://redis.io/docs/latest/commands/client-pause/
 */
function pause(call: LocalCall): void {
  const { args, reply } = call
  if (args.length > 4) {
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${args.text(1, 5)}'. Try CLIENT HELP.`)
    return
  }
  const writesOnly = args.length === 4 && args.is(3, 'WRITE')
  if (args.length === 4 && !writesOnly && !args.is(3, 'ALL')) {
    reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL')
    return
  }
  const time = parseInt64(args.text(2, 21))
  if (time === undefined) reply.error('ERR timeout is not an integer or out of range')
  else if (time < 0n) reply.error('ERR timeout is negative')
  else {
    call.server.pause(tenantOf(call.session), Number(time), writesOnly)
    reply.simple('OK')
  }
}

export const quirks: Readonly<Record<string, Quirk>> = {
  'client|pause': { answer: pause },
  'client|unpause': {
    answer(call) {
      call.server.unpause(tenantOf(call.session))
      call.reply.simple('OK')
    },
  },
}
