import type { Walls } from '../../upstream/walls/walls.ts'

/** What compiling a text says, as a value of Lua: the bytes as they are. By the name that Redis gives to scripts. */
const COMPILE = "local _, why = loadstring(ARGV[1], '@user_script') return why"

/** In a text that was made of bytes which were none. */
const LOST = '\ufffd'

/**
 * The error that SCRIPT LOAD of this text was answered with, a whole frame. `message`: as ioredis has it, who takes errors for UTF-8.
 * Where that has lost bytes, they are a word of the text's first line, `#!lua flags=…`, or what Lua says, which is asked once more.
 */
export async function compileError(walls: Walls, text: Buffer, message: string): Promise<Buffer> {
  if (!message.includes(LOST)) return Buffer.from(`-${message}\r\n`)
  const [shebang, body] = cutShebang(text)
  const words = shebang.toString('latin1').split(/[ ,=]/)
  const quotes: Buffer[] = words.map((word) => Buffer.from(word, 'latin1'))
  const why = await walls.callBuffer('EVAL', COMPILE, '0', body).catch(() => undefined)
  if (Buffer.isBuffer(why)) quotes.push(why)
  for (const quote of quotes) {
    const lossy = quote.toString()
    const at = lossy.includes(LOST) ? message.indexOf(lossy) : -1
    if (at < 0) continue
    const [before, behind] = [message.slice(0, at), message.slice(at + lossy.length)]
    return Buffer.concat([Buffer.from(`-${before}`), quote, Buffer.from(`${behind}\r\n`)])
  }
  return Buffer.from(`-${message}\r\n`)
}

/** Redis compiles what is behind it, from the end of the line on. */
function cutShebang(text: Buffer): readonly [Buffer, Buffer] {
  const end = text.indexOf('\n')
  const has = text.toString('latin1', 0, 2) === '#!' && end >= 0
  return has ? [text.subarray(0, end), text.subarray(end)] : [Buffer.alloc(0), text]
}
