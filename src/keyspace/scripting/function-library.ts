import { inlineRequest, splitInline } from '../../resp/inline-request.ts'
import { LuaTokens, TOKEN } from './lua-tokens.ts'

/** A tenant's library as it goes upstream. */
export interface ScopedLibrary {
  /** As the client knows it. */
  readonly name: string
  /** As the upstream knows it. */
  readonly scoped: string
  readonly code: Buffer
}

/**
 * The library under a name of the tenant's own, and so the functions that it registers. While a library is loaded, its code
 * reaches nothing but `redis`, with `register_function` and the log in it; so it is enough to put another function in the
 * place of that one, which a line of ours declares in front of the second. Lines keep their numbers. Returns the error, without `-`, where Redis' functions.c
 * (functionExtractLibMetaData) does not understand the first line. Takes time in proportion to the text.
 */
export function scopeLibrary(code: Buffer, scope: string): ScopedLibrary | string {
  const name = nameOf(code)
  if (typeof name !== 'string') return name.error
  const end = code.indexOf(LF)
  const first = code.toString('latin1', 0, end)
  const body = code.toString('latin1', end + 1)
  const calls = registrations(code.subarray(end + 1))
  let own = 'keyward_register'
  for (let n = 2; body.includes(own); n++) own = `keyward_register${n}`
  const lua = calls.length === 0 ? '' : prologue(scope, own)
  const note = `--[[keyward 1 ${lua.length} ${own} ${Buffer.from(first, 'latin1').toString('hex')}]] `
  const pieces = [`#!lua name=${scope}${name}\n`, note, lua]
  let from = 0
  for (const { server, start, end } of calls) {
    pieces.push(body.slice(from, start), server ? `${own}_` : own)
    from = end
  }
  pieces.push(body.slice(from))
  return { name, scoped: scope + name, code: Buffer.from(pieces.join(''), 'latin1') }
}

/** The library as its client sent it; undefined: it is none that scopeLibrary() has made. */
export function originalLibrary(code: Buffer): Buffer | undefined {
  const text = code.toString('latin1')
  const body = text.indexOf('\n') + 1
  const found = NOTE.exec(text.slice(body))
  if (body === 0 || found === null) return undefined
  const [note, length, own, first] = found
  const rest = text.slice(body + note.length + Number(length))
  const client = rest.replaceAll(`${own}_`, 'server.register_function').replaceAll(own, 'redis.register_function')
  return Buffer.from(`${Buffer.from(first, 'hex').toString('latin1')}\n${client}`, 'latin1')
}

/** How long what follows it is, the name that stands for redis.register_function, and the client's first line. */
const NOTE = /^--\[\[keyward 1 (\d+) (\w+) ([0-9a-f]*)\]\] /

/** The name in the first line, or what Redis says of that line. */
function nameOf(code: Buffer): string | { readonly error: string } {
  if (code[0] !== HASH || code[1] !== BANG) return { error: 'ERR Missing library metadata' }
  const end = code.indexOf(LF)
  const nul = code.indexOf(0)
  if (end < 0 || (nul >= 0 && nul < end)) return { error: 'ERR Invalid library metadata' }
  if (!splitInline(code, 0, end) || inlineRequest.argc === 0) return { error: 'ERR Invalid library metadata' }
  const { buf, args, argc } = inlineRequest
  const parts = Array.from({ length: argc }, (_, i) => buf.toString('latin1', args[2 * i], args[2 * i + 1]))
  let name: string | undefined
  for (const part of parts.slice(1)) {
    if (!/^name=/i.test(part)) return { error: `ERR Invalid metadata value given: ${part.split('\0')[0]}` }
    if (name !== undefined) return { error: 'ERR Invalid metadata value, name argument was given multiple times' }
    name = part.slice('name='.length)
  }
  if (name === undefined) return { error: 'ERR Library name was not given' }
  if (!/^[A-Za-z0-9_]+$/.test(name)) return { error: BAD_NAME }
  const engine = parts[0].slice(2)
  // In another language nobody knows how to register under another name.
  return /^lua$/i.test(engine) ? name : { error: `ERR Engine '${engine.split('\0')[0]}' not found` }
}

const BAD_NAME =
  'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'

/** Where a library says `redis.register_function`, or `server.` as Valkey has it, in one word. */
function registrations(
  body: Buffer,
): readonly { readonly server: boolean; readonly start: number; readonly end: number }[] {
  const tokens = new LuaTokens(body)
  const found = []
  for (let i = 0; i + 2 < tokens.count; i++) {
    if (tokens.kind[i] !== TOKEN.NAME || !tokens.is(i + 1, '.') || !tokens.is(i + 2, 'register_function')) continue
    const server = tokens.is(i, 'server')
    if ((!server && !tokens.is(i, 'redis')) || tokens.is(i - 1, '.') || tokens.is(i - 1, ':')) continue
    const start = tokens.start[i]
    const end = tokens.end[i + 2]
    if (end - start === tokens.word(i).length + '.register_function'.length) found.push({ server, start, end })
  }
  return found
}

/**
 * Declares `own`, and for those who say `server` `own_`, which do what redis.register_function does, under the tenant's
 * names. There is no `type`, `select` or `pcall` while a library is loaded. A table is the caller's, and stays as it was.
 * Ends in `end`, behind which any statement may stand.
 */
function prologue(scope: string, own: string): string {
  return [
    `local ${own},${own}_ do local r,s=redis.register_function,'${scope}'`,
    `${own}=function(...) local n,c,d=...`,
    'if n==nil or d~=nil then return r(...) end',
    "if c~=nil then if n=='' then return r(n,c) end return r(s..n,c) end",
    "local f=n.function_name if f==nil or f=='' then return r(n) end",
    'n.function_name=s..f r(n) n.function_name=f',
    `end ${own}_=${own} end `,
  ].join(' ')
}

const LF = 0x0a
const HASH = 0x23
const BANG = 0x21
