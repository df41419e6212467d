import type { LocalCall, Quirk } from '../spec.ts'
import { help } from './help.ts'
import { quoted } from './quoted.ts'

const HELP = [
  'LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'DOCTOR',
  '    Return a human readable latency analysis report.',
  'GRAPH <event>',
  '    Return an ASCII latency graph for the <event> class.',
  'HISTORY <event>',
  '    Return time-latency samples for the <event> class.',
  'LATEST',
  '    Return the latest latency samples for all events.',
  'RESET [<event> ...]',
  '    Reset latency data of one or more <event> classes.',
  '    (default: reset all data for all event classes)',
  'HISTOGRAM [COMMAND ...]',
  '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
  '    If no commands are specified then all histograms are replied.',
  'HELP',
  '    Prints this help.',
]

const DOCTOR = 'Latency monitoring is disabled for this tenant. SLOWLOG GET lists its own slow requests.\n'

/**
 * What a server with the default settings says, whose latency monitor is off: it has recorded nothing. What the
 * upstream records is about all tenants; only one who has it alone (an empty prefix) is shown that.
 */
function recordsNothing(say: (call: LocalCall) => void): Quirk {
  return {
    forward(call) {
      if (call.session.prefix.length === 0) return call.args.all()
      say(call)
      return undefined
    },
  }
}

export const quirks: Readonly<Record<string, Quirk>> = {
  'latency|doctor': recordsNothing(({ reply }) => reply.verbatim('txt', DOCTOR)),
  'latency|graph': recordsNothing(({ args, reply }) =>
    reply.error(`ERR No samples available for event '${quoted(args, 2)}'`),
  ),
  'latency|help': help(HELP),
  'latency|histogram': recordsNothing(({ reply }) => reply.map(0)),
  'latency|history': recordsNothing(({ reply }) => reply.array(0)),
  'latency|latest': recordsNothing(({ reply }) => reply.array(0)),
  // Never sent: what the upstream has recorded is its operator's.
  'latency|reset': { answer: ({ reply }) => reply.integer(0) },
}
