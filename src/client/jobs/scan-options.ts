import { parseInt64 } from '../../lib/int64.ts'

export interface ScanOptions {
  readonly count: number
  readonly match: Buffer
  readonly type: Buffer | undefined
}

const SYNTAX = { error: 'ERR syntax error' } as const
const NOT_INTEGER = { error: 'ERR value is not an integer or out of range' } as const

/**
 * The options of SCAN behind its cursor, read from the left as the server does, or its error (scanGenericCommand in
 * Redis' db.c). The request that goes upstream is made from what was understood here, so a mistake can show no keys.
 */
export function readScanOptions(args: readonly Buffer[]): ScanOptions | { readonly error: string } {
  let count = 10
  let match: Buffer = ALL
  let type: Buffer | undefined
  for (let i = 2; i < args.length; i += 2) {
    const word = args[i].toString('latin1', 0, 8).toLowerCase().split('\0', 1)[0]
    const value = args[i + 1]
    if (value === undefined) return SYNTAX
    if (word === 'count') {
      const number = parseInt64(value.toString('latin1', 0, 21))
      if (number === undefined) return NOT_INTEGER
      if (number < 1n) return SYNTAX
      count = Number(number)
    } else if (word === 'match') match = value
    else if (word === 'type') type = value
    else return SYNTAX
  }
  return { count, match, type }
}

/** As C's strtoul reads it, up to a NUL: a sign or nothing at all will do, more than 64 bits will not. */
export function validCursor(text: string): boolean {
  const [word] = text.split('\0', 1)
  const digits = /^[+-]?0*([0-9]+)$/.exec(word)?.[1]
  return word === '' || (digits !== undefined && digits.length <= 20 && BigInt(digits) < 2n ** 64n)
}

const ALL = Buffer.from('*')
