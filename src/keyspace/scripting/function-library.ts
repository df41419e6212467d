import { inlineRequest, splitInline } from '../../resp/inline-request.ts'
import { functionPrologue } from './function-prologue.ts'

/** A tenant's library as it goes upstream. */
export interface ScopedLibrary {
  /** As the client knows it. */
  readonly name: string
  /** As the upstream knows it. */
  readonly scoped: string
  readonly code: Buffer
}

/**
 * The library under a name of the tenant's own, and so the functions that it registers (function-prologue.ts). Lines keep
 * their numbers. `valkey`: the first number of the server's version, 0 where it is Redis. Returns the error, without `-`, where Redis' functions.c
 * (functionExtractLibMetaData) does not understand the first line. Takes time in proportion to the text.
 */
export function scopeLibrary(code: Buffer, scope: string, valkey = 0): ScopedLibrary | string {
  const name = nameOf(code)
  if (typeof name !== 'string') return name.error
  const end = code.indexOf(LF)
  const first = code.toString('hex', 0, end)
  const body = code.toString('latin1', end + 1)
  const lua = functionPrologue(body, scope, valkey)
  const front = `#!lua name=${scope}${name}\n--[[keyward 2 ${lua.length} ${first}]] ${lua}`
  return { name, scoped: scope + name, code: Buffer.concat([Buffer.from(front, 'latin1'), code.subarray(end + 1)]) }
}

/** The library as its client sent it; undefined: it is none that scopeLibrary() has made. */
export function originalLibrary(code: Buffer): Buffer | undefined {
  const body = code.indexOf(LF) + 1
  const found = NOTE.exec(code.toString('latin1', body))
  if (body === 0 || found === null) return undefined
  const [note, length, first] = found
  return Buffer.concat([Buffer.from(`${first}0a`, 'hex'), code.subarray(body + note.length + Number(length))])
}

/** How long what follows it is, and the client's first line. */
const NOTE = /^--\[\[keyward 2 (\d+) ([0-9a-f]*)\]\] /

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

const LF = 0x0a
const HASH = 0x23
const BANG = 0x21
