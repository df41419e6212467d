/**
 * Where a RESP2 or RESP3 reply ends, found the plain recursive way: the tests' own opinion, sharing nothing with the
 * scanner under test.
 *
 * Returns the offset behind the frame that starts at `at`; or, when the frame is not whole yet, the negative of a
 * buffer length below which asking again is useless. Attributes count as part of the element that they stand in front of.
 */
export function frameEnd(buf: Buffer, at = 0): number {
  const eol = buf.indexOf('\r\n', at, 'latin1')
  if (eol < 0) return -(buf.length + 1)
  const type = String.fromCharCode(buf[at])
  const head = buf.toString('latin1', at + 1, eol)
  const next = eol + 2
  switch (type) {
    case '+':
    case '-':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
      return next
    case '$':
    case '=':
    case '!':
      return bulkEnd(buf, head, next)
    case '*':
    case '~':
    case '>':
      return elementsEnd(buf, next, Math.max(0, count(head)))
    case '%':
      return elementsEnd(buf, next, Math.max(0, 2 * count(head)))
    case '|': {
      const end = elementsEnd(buf, next, 2 * count(head))
      return end < 0 ? end : elementsEnd(buf, end, 1)
    }
    default:
      throw new Error(`not RESP: ${JSON.stringify(buf.toString('latin1', at, Math.min(eol, at + 80)))}`)
  }
}

function bulkEnd(buf: Buffer, head: string, from: number): number {
  const length = count(head)
  if (length < 0) return from
  const end = from + length + 2
  if (end > buf.length) return -end
  if (buf.toString('latin1', end - 2, end) !== '\r\n') throw new Error('bulk without its line end')
  return end
}

function elementsEnd(buf: Buffer, from: number, elements: number): number {
  let at = from
  for (let i = 0; i < elements; i++) {
    at = at < buf.length ? frameEnd(buf, at) : -(buf.length + 1)
    if (at < 0) return at
  }
  return at
}

function count(head: string): number {
  if (!/^-?\d+$/.test(head)) throw new Error(`not a length: ${JSON.stringify(head)}`)
  return Number(head)
}
