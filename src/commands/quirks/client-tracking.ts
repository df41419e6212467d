import { ERRORS } from '../../errors.ts'
import { parseInt64 } from '../../lib/int64.ts'
import type { Tracking } from '../../session/tracking.ts'
import { isOption } from '../option-word.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

/** Prefixes that one client may have, and bytes of each: every key that is written is compared with them. */
const MOST_PREFIXES = 1000
const LONGEST_PREFIX = 1024

/** What a request asks for. */
interface Options {
  bcast: boolean
  optin: boolean
  optout: boolean
  noloop: boolean
  redirect: number
  readonly prefixes: Buffer[]
}

/**
 * CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]: what the client wants is kept in its session,
 * and client/tracking/ follows it. Checks and texts in the order of Redis' networking.c and tracking.c.
 * https://redis.io/docs/latest/commands/client-tracking/
 */
function track(call: LocalCall): void {
  const { args, reply, session } = call
  const options = readOptions(call)
  if (typeof options === 'string') {
    reply.error(options)
    return
  }
  if (isOption(args, 2, 'ON')) {
    const before = session.tracking
    const wrong = conflict(options, before)
    if (wrong !== undefined) {
      reply.error(wrong)
      return
    }
    const prefixes = options.bcast ? together(before?.prefixes ?? [], options.prefixes) : []
    if (prefixes.length > MOST_PREFIXES || prefixes.some(({ length }) => length > LONGEST_PREFIX)) {
      reply.error(ERRORS.SUBSCRIPTIONLIMIT.reply)
      return
    }
    session.tracking = { ...options, prefixes, caching: before?.caching ?? false, broken: false }
  } else if (isOption(args, 2, 'OFF')) session.tracking = undefined
  else {
    reply.error(SYNTAX)
    return
  }
  reply.simple('OK')
}

/** The options, or the error of the first wrong one. */
function readOptions(call: LocalCall): Options | string {
  const { args } = call
  const options: Options = { bcast: false, optin: false, optout: false, noloop: false, redirect: 0, prefixes: [] }
  for (let i = 3; i < args.length; i++) {
    const more = i + 1 < args.length
    if (isOption(args, i, 'REDIRECT') && more) {
      if (options.redirect !== 0) return 'ERR A client can only redirect to a single other client'
      const id = parseInt64(args.text(++i, 21))
      if (id === undefined) return 'ERR value is not an integer or out of range'
      if (!exists(call, id)) return 'ERR The client ID you want redirect to does not exist'
      options.redirect = Number(id)
    } else if (isOption(args, i, 'BCAST')) options.bcast = true
    else if (isOption(args, i, 'OPTIN')) options.optin = true
    else if (isOption(args, i, 'OPTOUT')) options.optout = true
    else if (isOption(args, i, 'NOLOOP')) options.noloop = true
    else if (isOption(args, i, 'PREFIX') && more) options.prefixes.push(args.bytes(++i))
    else return SYNTAX
  }
  return options
}

/** Is there a client of this tenant, in this process, with this id? */
function exists({ server, session }: LocalCall, id: bigint): boolean {
  for (const client of server.clientsOf(tenantOf(session))) if (BigInt(client.session.id) === id) return true
  return false
}

/** Why these options do not go together, or not with how the client tracks now. */
function conflict(options: Options, before: Tracking | undefined): string | undefined {
  const { bcast, optin, optout, prefixes } = options
  if (!bcast && prefixes.length > 0) return 'ERR PREFIX option requires BCAST mode to be enabled'
  if (before !== undefined && before.bcast !== bcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
  }
  if (bcast && (optin || optout)) return 'ERR OPTIN and OPTOUT are not compatible with BCAST'
  if (optin && optout) return "ERR You can't specify both OPTIN mode and OPTOUT mode"
  if ((optin && before?.optout === true) || (optout && before?.optin === true)) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
  }
  return bcast ? collision(prefixes, before?.prefixes ?? []) : undefined
}

/** Neither may be the beginning of the other. */
function collision(given: readonly Buffer[], before: readonly Buffer[]): string | undefined {
  const prefixes = given.slice(0, MOST_PREFIXES + 1)
  const i = firstOverlapping(prefixes, before)
  if (i < 0) return undefined
  const existing = before.find((one) => overlaps(one, prefixes[i]))
  if (existing !== undefined) return overlapping(prefixes[i], `an existing prefix '${cString(existing)}'`)
  const other = prefixes.slice(i + 1).find((one) => overlaps(one, prefixes[i])) as Buffer
  return overlapping(prefixes[i], `another provided prefix '${cString(other)}'`)
}

/** The first of `prefixes` that overlaps with one of `before` or one behind it; -1: none. */
function firstOverlapping(prefixes: readonly Buffer[], before: readonly Buffer[]): number {
  const all = [...before.map((bytes) => ({ bytes, at: -1 })), ...prefixes.map((bytes, at) => ({ bytes, at }))]
  // What begins with another one comes behind it, and nothing between the two begins otherwise.
  all.sort((a, b) => a.bytes.compare(b.bytes))
  let first = -1
  const note = (at: number) => {
    if (at >= 0 && (first < 0 || at < first)) first = at
  }
  /** Each begins with the one before it. */
  const chain: typeof all = []
  for (const one of all) {
    while (chain.length > 0 && !overlaps(chain[chain.length - 1].bytes, one.bytes)) chain.pop()
    const last = chain.at(-1)
    if (last !== undefined) {
      note(last.at)
      note(one.at)
    }
    chain.push(one)
  }
  return first
}

function overlaps(a: Buffer, b: Buffer): boolean {
  const length = Math.min(a.length, b.length)
  return a.compare(b, 0, length, 0, length) === 0
}

function overlapping(prefix: Buffer, other: string): string {
  return `ERR Prefix '${cString(prefix)}' overlaps with ${other}. Prefixes for a single client must not overlap.`
}

/** As C's %s has it: up to a NUL. */
function cString(bytes: Buffer): string {
  const nul = bytes.indexOf(0)
  return bytes.toString('latin1', 0, nul === -1 ? bytes.length : nul)
}

/** Those of before and these, each once; BCAST without a prefix is the empty one. */
function together(before: readonly Buffer[], more: readonly Buffer[]): readonly Buffer[] {
  const all = [...before, ...(more.length === 0 ? [NO_BYTES] : more)].sort(Buffer.compare)
  return all.filter((prefix, i) => i === 0 || !prefix.equals(all[i - 1]))
}

/** CLIENT CACHING YES|NO: of the next request, or the next transaction. */
function caching({ args, inTransaction, reply, session }: LocalCall): void {
  const { tracking } = session
  if (tracking === undefined) {
    reply.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
    return
  }
  const yes = isOption(args, 2, 'YES')
  if (!yes && !isOption(args, 2, 'NO')) reply.error(SYNTAX)
  else if (yes && !tracking.optin) {
    reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
  } else if (!yes && !tracking.optout) {
    reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
  } else {
    // In EXEC it was about members that were read long ago: client/tracking/ has seen to it.
    if (!inTransaction) tracking.caching = true
    reply.simple('OK')
  }
}

function trackingInfo({ reply, session }: LocalCall): void {
  const { tracking } = session
  const flags = flagsOf(tracking)
  reply.map(3)
  reply.bulk('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulk(flag)
  reply.bulk('redirect')
  reply.integer(tracking?.redirect ?? -1)
  reply.bulk('prefixes')
  const prefixes = tracking?.prefixes ?? []
  reply.array(prefixes.length)
  for (const prefix of prefixes) reply.bulk(prefix)
}

function flagsOf(tracking: Tracking | undefined): readonly string[] {
  if (tracking === undefined) return ['off']
  const { bcast, broken, caching, noloop, optin, optout } = tracking
  const flags = ['on']
  if (bcast) flags.push('bcast')
  if (optin) flags.push('optin')
  if (optin && caching) flags.push('caching-yes')
  if (optout) flags.push('optout')
  if (optout && caching) flags.push('caching-no')
  if (noloop) flags.push('noloop')
  if (broken) flags.push('broken_redirect')
  return flags
}

const SYNTAX = 'ERR syntax error'
const NO_BYTES = Buffer.alloc(0)

/** What a client says of its tracking; https://redis.io/docs/latest/develop/reference/client-side-caching/ */
export const quirks: Readonly<Record<string, Quirk>> = {
  'client|tracking': { answer: track },
  'client|caching': { answer: caching },
  'client|getredir': { answer: ({ reply, session }) => reply.integer(session.tracking?.redirect ?? -1) },
  'client|trackinginfo': { answer: trackingInfo },
}
