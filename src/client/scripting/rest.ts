import type { Incoming } from '../incoming.ts'

const CRLF = Buffer.from('\r\n')

/**
 * The request behind the script (argument 1) as it goes upstream: the number of keys, the keys behind `prefix`, the other
 * arguments, and `scope` as the last one. `keys`: how many of them are keys.
 */
export function encodeRest({ buf, args, argc }: Incoming, keys: number, prefix: Buffer, scope: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let i = 2; i < argc; i++) {
    const start = args[2 * i]
    const end = args[2 * i + 1]
    const isKey = i > 2 && i < 3 + keys
    const length = end - start + (isKey ? prefix.length : 0)
    parts.push(Buffer.from(`$${length}\r\n`, 'latin1'))
    if (isKey) parts.push(prefix)
    parts.push(buf.subarray(start, end), CRLF)
  }
  parts.push(Buffer.from(`$${scope.length}\r\n`, 'latin1'), scope, CRLF)
  return Buffer.concat(parts)
}
