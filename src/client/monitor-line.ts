import type { ArgView } from '../commands/arg-view.ts'
import type { CommandSpec } from '../commands/spec.ts'

/** Redis shows arguments whole; here more than this of one, and more than a line of this, is only counted. */
const MOST_OF_ARGUMENT = 64 * 1024
const MOST_OF_LINE = 1024 * 1024

/** A request's arguments as MONITOR shows them. Secrets are `(redacted)`, as in Redis. */
export function monitorArguments(spec: CommandSpec, args: ArgView): string {
  const secret = secretsOf(spec, args)
  let text = ''
  for (let i = 0; i < args.length; i++) {
    if (text.length > MOST_OF_LINE) {
      text += ` "... (${args.length - i} more arguments)"`
      break
    }
    text += secret(i) ? ' "(redacted)"' : ` "${shown(args, i)}"`
  }
  return text
}

/** A line of MONITOR without its time. */
export function monitorBody(db: number, address: string, args: string): Buffer {
  return Buffer.from(`[${db} ${peer(address)}]${args}\r\n`, 'latin1')
}

/** The whole line: a simple string in RESP3, too. `time`: milliseconds since the epoch. */
export function monitorLine(body: Buffer, time: number): Buffer {
  const seconds = Math.floor(time / 1000)
  const microseconds = String(Math.floor((time % 1000) * 1000)).padStart(6, '0')
  return Buffer.concat([Buffer.from(`+${seconds}.${microseconds} `), body])
}

/** Which arguments nobody may see: all of AUTH, the two behind AUTH in HELLO. */
function secretsOf(spec: CommandSpec, args: ArgView): (i: number) => boolean {
  if (spec.name === 'auth') return (i) => i > 0
  if (spec.name !== 'hello') return () => false
  const secrets = new Set<number>()
  for (let i = 1; i < args.length; i++) {
    if (!args.is(i, 'AUTH')) continue
    secrets.add(i + 1).add(i + 2)
    i += 2
  }
  return (i) => secrets.has(i)
}

function shown(args: ArgView, i: number): string {
  const text = args.text(i, MOST_OF_ARGUMENT + 1)
  const more = text.length > MOST_OF_ARGUMENT ? args.size(i) - MOST_OF_ARGUMENT : 0
  const quoted = text.slice(0, MOST_OF_ARGUMENT).replace(TO_ESCAPE, escape)
  return more === 0 ? quoted : `${quoted}... (${more} more bytes)`
}

/** As sdscatrepr of Redis' sds.c: everything but printable ASCII, and what would end the quotes. */
const TO_ESCAPE = /[^ !#-[\]-~]/g

function escape(character: string): string {
  return ESCAPES.get(character) ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
])

function peer(address: string): string {
  return address.startsWith('/') ? `unix:${address.replace(/:0$/, '')}` : address
}
