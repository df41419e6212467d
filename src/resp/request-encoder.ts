const CR = 0x0d
const LF = 0x0a

/** A request in multibulk form. Strings are written as UTF-8. */
export function encodeRequest(args: readonly (Buffer | string)[]): Buffer {
  const count = `*${args.length}\r\n`
  let size = count.length
  for (const arg of args) {
    const length = lengthOf(arg)
    size += length + String(length).length + 5
  }
  const buf = Buffer.allocUnsafe(size)
  let pos = buf.write(count, 0, 'latin1')
  for (const arg of args) {
    pos += buf.write(`$${lengthOf(arg)}\r\n`, pos, 'latin1')
    pos += typeof arg === 'string' ? buf.write(arg, pos) : arg.copy(buf, pos)
    buf[pos++] = CR
    buf[pos++] = LF
  }
  return buf
}

function lengthOf(arg: Buffer | string): number {
  return typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length
}
