import type { CommandTable } from '../../commands/lookup.ts'
import { EXPIRES_FIELDS } from '../../commands/open-to.ts'
import { stripFirst, stripPairs } from '../../commands/quirks/keys-in-reply.ts'
import { type CommandSpec, FLAG, type KeySpec } from '../../commands/spec.ts'

/**
 * What a prologue knows of a command: where its keys are, as calls.lua reads it.
 *
 * Numbers are what most commands are: 0 without keys, 1 with one in front, 2 with nothing but keys, 3 with two in front.
 * `o`: its first argument names a subcommand. `!`: scripts of tenants may not call it. Else fields:
 * kind, three numbers to it, where the reply has keys (`f`: first, `p`: pairs), whether errors name a key, and for tenants with
 * rules on times to live: which keys it may write (`a`: all, `s`: behind STORE, or a number), whether it sets a time, and `P` or
 * `G` where it may take the time away. Kinds:
 *   r first last step      a range of arguments, last < 0 from the end
 *   n destination count first   keys counted by an argument, and a destination in front (0: none)
 *   v 0 count first        the same with a value behind each key
 *   h 1 1 1                gives fields of a hash an expiry, which tenants with a near cache may not
 *   g first  s store  x group   GEORADIUS with options from `first` on, SORT (1: with STORE), XREAD (1: XREADGROUP)
 *   p  c  m  d              PUBLISH, COPY, MOVE, SELECT
 */
export type CommandCode = number | 'o' | '!' | CodeFields
export type CodeFields = readonly (string | number | boolean)[]

/** By name, "container|sub" for subcommands. What is not in it does not exist for scripts of tenants. */
export type CommandCodes = ReadonlyMap<string, CommandCode>

/** What Keyward answers itself outside of scripts, and Redis inside: nothing in it is a key, or another tenant's. */
const HARMLESS = new Set(['echo', 'ping', 'time'])

/** Where keys depend on options, or are not where the table says: kind and numbers. Each follows the quirk of its command. */
const BY_HAND: ReadonlyMap<string, CodeFields> = new Map<string, CodeFields>([
  ['copy', ['c', 0, 0, 0]],
  ['georadius', ['g', 6, 0, 0]],
  ['georadiusbymember', ['g', 5, 0, 0]],
  ['move', ['m', 0, 0, 0]],
  ['select', ['d', 0, 0, 0]],
  ['sort', ['s', 1, 0, 0]],
  ['sort_ro', ['s', 0, 0, 0]],
  ['xread', ['x', 0, 0, 0]],
  ['xreadgroup', ['x', 1, 0, 0]],
])

/** Commands in which a script says how long a key shall live. */
const ASKING = new Set([
  'expire',
  'expireat',
  'getex',
  'msetex',
  'pexpire',
  'pexpireat',
  'psetex',
  'restore',
  'set',
  'setex',
])

/** `ttl`: with what the rules on times to live need. */
export function commandCodes(table: CommandTable, ttl: boolean): CommandCodes {
  const codes = new Map<string, CommandCode>()
  for (const spec of table.all()) {
    const code = codeOf(spec, ttl)
    if (code !== undefined) codes.set(spec.name, code)
  }
  return codes
}

function codeOf(spec: CommandSpec, ttl: boolean): CommandCode | undefined {
  if (spec.subcommands !== undefined) return spec.open === 'refused' ? unknown(spec) : 'o'
  if (HARMLESS.has(spec.name)) return 0
  // What a module's command takes for keys, only the server at hand can say.
  if (spec.open !== 'tenant' || spec.presence === 'module') return unknown(spec)
  if ((spec.flags & FLAG.NOSCRIPT) !== 0) return '!'
  const fields = BY_HAND.get(spec.name) ?? (isOrdinary(spec) ? placesOf(spec) : undefined)
  if (fields === undefined) return '!'
  const { reply, errorKey } = spec.quirk
  if (reply !== undefined && reply !== stripFirst && reply !== stripPairs) return '!'
  const stripped = reply === undefined ? false : reply === stripFirst ? 'f' : 'p'
  const extra = [stripped, errorKey !== undefined, ...(ttl ? timesOf(spec) : [])]
  return extra.every((field) => field === false) ? (short(fields) ?? [...fields, ...extra]) : [...fields, ...extra]
}

/** Redis says of such a command that scripts may not call it; to a tenant, others do not exist. */
function unknown(spec: CommandSpec): '!' | undefined {
  if (spec.subcommands !== undefined) return [...spec.subcommands.values()].every(isNever) ? '!' : undefined
  return isNever(spec) ? '!' : undefined
}

function isNever(spec: CommandSpec): boolean {
  return (spec.flags & FLAG.NOSCRIPT) !== 0
}

/** Does the table say all that there is to know? */
function isOrdinary({ route, quirk, channel }: CommandSpec): boolean {
  if (channel === 1) return true
  if (route !== 'shared' && route !== 'blocking') return false
  return quirk.keys === undefined && quirk.forward === undefined && quirk.refuses === undefined && channel === 0
}

function placesOf(spec: CommandSpec): CodeFields | undefined {
  if (spec.channel === 1) return ['p', 0, 0, 0]
  if (EXPIRES_FIELDS.has(spec.name)) return spec.firstKey === 1 && spec.lastKey === 1 ? ['h', 1, 1, 1] : undefined
  if (spec.firstKey === 0) return ['r', 1, 0, 1]
  if (spec.firstKey > 0) return ['r', spec.firstKey, spec.lastKey, spec.keyStep]
  const keys = spec.keySpecs.filter(({ flags }) => !flags.includes('not_key'))
  const counted = keys.find(({ find }) => typeof find === 'object' && 'keyNum' in find)
  const others = keys.filter((key) => key !== counted)
  if (counted === undefined || others.length > 1) return undefined
  const destination = others.length === 0 ? 0 : placeOf(others[0])
  const { begin, find } = counted
  if (destination === undefined || typeof begin !== 'object' || !('index' in begin)) return undefined
  if (typeof find !== 'object' || !('keyNum' in find)) return undefined
  if (find.step !== 1 && (find.step !== 2 || destination !== 0)) return undefined
  return [find.step === 1 ? 'n' : 'v', destination, begin.index + find.keyNum, begin.index + find.firstKey]
}

/** The argument that a key spec names, if it is one, at a fixed place. */
function placeOf({ begin, find }: KeySpec): number | undefined {
  if (typeof begin !== 'object' || !('index' in begin) || typeof find !== 'object') return undefined
  return 'lastKey' in find && find.lastKey === 0 ? begin.index : undefined
}

function short([kind, first, last, step]: CodeFields): number | undefined {
  if (kind !== 'r' || step !== 1) return undefined
  if (last === 0) return 0
  if (first !== 1) return undefined
  return last === 1 ? 1 : last === -1 ? 2 : last === 2 ? 3 : undefined
}

/** See docs/ttl.md: after a command that writes, each key that it names as one it may write is looked at. */
function timesOf(spec: CommandSpec): readonly (string | number | boolean)[] {
  if (spec.name === 'persist') return [false, false, 'P']
  if ((spec.flags & FLAG.WRITE) === 0) return [false, false, false]
  if (spec.name === 'getex') return [1, true, 'G']
  return [written(spec), ASKING.has(spec.name), false]
}

function written(spec: CommandSpec): string | number | boolean {
  if (spec.name === 'copy') return 2
  // It looks at both keys itself.
  if (spec.name === 'move') return false
  if (spec.name === 'sort' || spec.name.startsWith('georadius')) return 's'
  const writing = spec.keySpecs.filter(({ flags }) => flags.some((flag) => flag === 'RW' || flag === 'OW'))
  if (writing.length === 0) return spec.keySpecs.some(({ flags }) => flags.includes('RM')) ? false : 'a'
  const place = placeOf(writing[0])
  const reads = spec.keySpecs.length > 1
  return writing.length === 1 && (reads || place === 1) && place !== undefined ? place : 'a'
}
