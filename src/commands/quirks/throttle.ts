import type { ArgView } from '../arg-view.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { STATUS, THROTTLE } from '../throttle-script.ts'

/*
 * CL.THROTTLE and CL.STATUS become one EVAL, which names the one key that they are about: their place among other
 * requests, in transactions and in a failover is that of any write and any read. What can be wrong with the arguments is
 * told here, in the words of the module redis-cell and in its order. https://github.com/brandur/redis-cell
 */

/** CL.THROTTLE key max_burst count period [quantity] */
function throttle(call: LocalCall): readonly Buffer[] | undefined {
  const { args, reply } = call
  if (args.length === 5 || args.length === 6) return evaluation(call, THROTTLE)
  reply.error('Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]')
  return undefined
}

/** CL.STATUS key max_burst count period */
function status(call: LocalCall): readonly Buffer[] | undefined {
  const { args, reply } = call
  if (args.length === 5) return evaluation(call, STATUS)
  reply.error('Cell error: Usage: cl.status <key> <max_burst> <count per period> <period>')
  return undefined
}

function evaluation({ args, reply, prefix }: LocalCall, script: Buffer): readonly Buffer[] | undefined {
  const numbers: number[] = []
  for (let i = 2; i < args.length; i++) {
    const value = integer(args, i)
    if (value === undefined) {
      reply.error(`Cell error: Couldn't parse as integer: ${args.text(i, ECHO_BYTES)}`)
      return undefined
    }
    numbers.push(value)
  }
  const [burst, count, period, quantity = 1] = numbers
  const size = burst + 1
  const each = Math.trunc((period * NANOSECONDS) / count)
  const wrong = wrongRate(size, count, period, each)
  if (wrong !== undefined) {
    reply.error(wrong)
    return undefined
  }
  const key = Buffer.concat([prefix, args.bytes(1)])
  return [EVAL, script, ONE, key, decimal(each), decimal(size), decimal(quantity)]
}

/** `each`: nanoseconds in which a token comes back. The module takes negative rates and answers nonsense. */
function wrongRate(size: number, count: number, period: number, each: number): string | undefined {
  if (count === 0 || period === 0) return ZERO_RATE
  if (count < 0 || period < 0) return 'Cell error: Negative rates are not supported'
  if (each === 0) return ZERO_RATE
  return each * size > LONGEST ? 'Cell error: An empty bucket takes more than 146 years to fill' : undefined
}

/**
 * Argument i as the module reads it, with a plus sign or leading zeros if need be; undefined: it is no integer, or one
 * that neither our numbers nor Lua's hold.
 */
function integer(args: ArgView, i: number): number | undefined {
  if (args.size(i) > ECHO_BYTES) return undefined
  const text = args.text(i)
  const value = Number(text)
  return /^[-+]?[0-9]+$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

function decimal(n: number): Buffer {
  return Buffer.from(String(n))
}

const ECHO_BYTES = 128
const NANOSECONDS = 1e9
/** Nanoseconds. A time that far ahead still fits the 64 bits in which the module keeps it. */
const LONGEST = 2 ** 62
const ZERO_RATE = 'Cell error: Zero rates are not supported'

const EVAL = Buffer.from('EVAL')
const ONE = Buffer.from('1')

export const quirks: Readonly<Record<string, Quirk>> = {
  'cl.throttle': { forward: throttle },
  'cl.status': { forward: status },
}
