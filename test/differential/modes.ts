import { type Args, type Frame, shapeOf, sortedForm } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { scanOn } from './scan-on.ts'

/**
 * How a reply from Keyward is held against the one from the bare server.
 *   exact   byte by byte; the default
 *   sorted  the same elements in another order
 *   shape   types, sizes of aggregates, nulls and errors; values differ by nature
 *   skip    not compared
 * In sorted and shape, errors are compared byte by byte, and counted as exact. Everything but exact needs a row here, with
 * its reason.
 */
export type Mode = 'exact' | 'sorted' | 'shape' | 'skip'

export interface ModeRow {
  readonly mode: Exclude<Mode, 'exact'>
  readonly reason: string
  /** Only these argument lists; default: all lists of the command. */
  readonly when?: (args: Args) => boolean
  /** Where a reply is only the beginning: what the whole is, as a frame to be compared in the mode. Not for errors. */
  readonly follow?: (args: Args, reply: Frame, client: RawClient) => Promise<Frame>
  /** For shape: what of a reply is compared, where its types and sizes say too little. Errors are compared whole. */
  readonly form?: (frame: Frame) => string
}

const has =
  (...words: string[]) =>
  (args: Args): boolean =>
    args.some((arg, i) => i > 0 && words.includes(arg.toUpperCase()))

/** The same error, or none. */
const onlyErrors = (): string => 'no error'
const RANDOM: ModeRow = { mode: 'shape', reason: 'the server chooses at random' }
const CLOCK: ModeRow = { mode: 'shape', reason: 'tells the time that passed, in milliseconds' }
const VIEW: ModeRow = { mode: 'shape', reason: "the tenant's own view; its text holds addresses, ids and versions" }
const OWN_ID: ModeRow = { mode: 'shape', reason: "the connection's id is Keyward's own" }
const SLOW: ModeRow = { mode: 'shape', reason: 'what is slow is measured at another place', form: onlyErrors }
const OPEN: ModeRow = { mode: 'skip', reason: 'speaks of the commands that a tenant may run only' }
const openOnly = (length: number): ModeRow => ({ ...OPEN, when: (args) => args.length === length })

const GRAPH: ModeRow = { mode: 'shape', reason: 'the server draws the levels of the graph at random' }

const ZERO = /^[+-]?0*$/

/** By command or "container|subcommand", in lower case. */
export const MODES: Readonly<Record<string, readonly ModeRow[]>> = {
  spop: [RANDOM],
  srandmember: [RANDOM],
  hrandfield: [RANDOM],
  zrandmember: [RANDOM],
  xadd: [{ mode: 'shape', reason: 'the server makes the id from its clock', when: has('*') }],
  time: [CLOCK],
  ttl: [CLOCK],
  pttl: [CLOCK],
  httl: [CLOCK],
  hpttl: [CLOCK],
  vrandmember: [RANDOM],
  vlinks: [{ ...GRAPH, form: onlyErrors }],
  vinfo: [GRAPH],
  'object|idletime': [CLOCK],
  xpending: [{ ...CLOCK, when: (args) => args.length > 3 }],
  'xinfo|consumers': [CLOCK],
  'xinfo|stream': [{ ...CLOCK, when: has('FULL') }],
  dump: [{ mode: 'shape', reason: 'a stream with pending entries holds delivery times', when: has('STREAM') }],
  'memory|usage': [{ mode: 'shape', reason: "the prefix is part of the key's memory" }],
  keys: [{ mode: 'sorted', reason: 'the order is that of a hash table, which others share behind Keyward' }],
  randomkey: [{ ...RANDOM, form: (frame) => (frame.startsWith('$-1') || frame.startsWith('_') ? 'none' : 'a key') }],
  scan: [
    {
      mode: 'shape',
      reason: 'a cursor that no SCAN gave',
      when: (args) => !ZERO.test(args[1] ?? ''),
      form: onlyErrors,
    },
    {
      mode: 'sorted',
      reason: 'pages fall differently: all pages of the walk are compared, as one set',
      follow: scanOn,
    },
  ],
  'acl|cat': [{ ...OPEN, mode: 'shape', form: onlyErrors, when: (args) => args.length === 3 }],
  'acl|help': [openOnly(2)],
  'latency|histogram': [{ mode: 'skip', reason: 'the server counts it over all tenants' }],
  'latency|doctor': [{ mode: 'shape', reason: 'a text about how to switch it on' }],
  'latency|help': [openOnly(2)],
  'slowlog|get': [SLOW],
  'slowlog|len': [SLOW],
  hello: [OWN_ID],
  'client|id': [OWN_ID],
  'client|info': [VIEW],
  'client|list': [VIEW],
  'client|help': [openOnly(2)],
  info: [VIEW],
  command: [openOnly(1)],
  'command|count': [openOnly(2)],
  'command|docs': [openOnly(2)],
  'command|info': [openOnly(2)],
  'command|list': [OPEN],
  'config|get': [{ mode: 'skip', reason: 'has harmless parameters only', when: (args) => args.length > 2 }],
  'config|help': [openOnly(2)],
}

/** Between a database of a server that has 16 of them and a tenant that has one or five. */
const BESIDE: Readonly<Record<string, readonly ModeRow[]>> = {
  copy: [{ mode: 'skip', reason: 'compared in whole.test.ts, with as many databases', when: has('DB') }],
}

/** Commands that Keyward does not let into MULTI, where a server does: they are refused at queueing, and EXEC aborts. */
export const NOT_IN_MULTI: Readonly<Record<string, string>> = {
  hello: 'it would change the protocol in the middle of the array',
  ...Object.fromEntries(
    ['client|unblock', 'dbsize', 'flushall', 'flushdb', 'keys', 'randomkey', 'scan'].map((name) => [
      name,
      'it takes many upstream calls',
    ]),
  ),
  'client|tracking': 'which reads of the transaction it is about is known only when they are done',
  'client|reply': 'it would change which replies come, in the middle of the array',
}

/** The row for these arguments; undefined: exact. */
export function rowOf(args: Args): ModeRow | undefined {
  return find(MODES, args)
}

/** The same where both sides lie on one server. */
export function rowBeside(args: Args): ModeRow | undefined {
  return find(BESIDE, args) ?? find(MODES, args)
}

function find(modes: Readonly<Record<string, readonly ModeRow[]>>, args: Args): ModeRow | undefined {
  const name = args[0].toLowerCase()
  const rows = [...(modes[`${name}|${args[1]?.toLowerCase()}`] ?? []), ...(modes[name] ?? [])]
  return rows.find(({ when }) => when === undefined || when(args))
}

/** How this reply is compared: errors byte by byte, whatever the row says of the others. */
export function modeOf(row: ModeRow | undefined, bare: Frame | undefined): Mode {
  if (row === undefined || (row.mode !== 'skip' && bare !== undefined && isError(bare))) return 'exact'
  return row.mode
}

/** Do the two replies agree? */
export function agree(row: ModeRow | undefined, bare: Frame, proxied: Frame): boolean {
  if (bare === proxied || row?.mode === 'skip') return true
  if (row === undefined || isError(bare) || isError(proxied)) return false
  if (row.mode === 'sorted') return sortedForm(bare) === sortedForm(proxied)
  const form = row.form ?? shapeOf
  return form(bare) === form(proxied)
}

function isError(frame: Frame): boolean {
  return frame.startsWith('-') || frame.startsWith('!')
}
