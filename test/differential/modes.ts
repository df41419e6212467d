import { type Args, type Frame, shapeOf, sortedForm } from '../helpers/differential.ts'

/**
 * How a reply from Keyward is held against the one from the bare server.
 *   exact   byte by byte; the default
 *   sorted  the same elements in another order
 *   shape   types, sizes of aggregates, nulls and errors; values differ by nature
 *   skip    not compared
 * Everything but exact needs a row here, with its reason.
 */
export type Mode = 'exact' | 'sorted' | 'shape' | 'skip'

export interface ModeRow {
  readonly mode: Exclude<Mode, 'exact'>
  readonly reason: string
  /** Only these argument lists; default: all lists of the command. */
  readonly when?: (args: Args) => boolean
}

const has =
  (...words: string[]) =>
  (args: Args): boolean =>
    args.some((arg, i) => i > 0 && words.includes(arg.toUpperCase()))

const RANDOM: ModeRow = { mode: 'shape', reason: 'the server chooses at random' }
const CLOCK: ModeRow = { mode: 'shape', reason: 'tells the time that passed, in milliseconds' }
const VIEW: ModeRow = { mode: 'shape', reason: "the tenant's own view; its text holds addresses, ids and versions" }
const OWN_ID: ModeRow = { mode: 'shape', reason: "the connection's id is Keyward's own" }
const OPEN: ModeRow = { mode: 'skip', reason: 'speaks of the commands that a tenant may run only' }
const openOnly = (length: number): ModeRow => ({ ...OPEN, when: (args) => args.length === length })

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
  'object|idletime': [CLOCK],
  xpending: [{ ...CLOCK, when: (args) => args.length > 3 }],
  'xinfo|consumers': [CLOCK],
  'xinfo|stream': [{ ...CLOCK, when: has('FULL') }],
  dump: [{ mode: 'shape', reason: 'a stream with pending entries holds delivery times', when: has('STREAM') }],
  'memory|usage': [{ mode: 'shape', reason: "the prefix is part of the key's memory" }],
  copy: [{ mode: 'skip', reason: 'COPY with DB is refused', when: has('DB') }],
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

export function modeOf(args: Args): Mode {
  const name = args[0].toLowerCase()
  const rows = [...(MODES[`${name}|${args[1]?.toLowerCase()}`] ?? []), ...(MODES[name] ?? [])]
  return rows.find(({ when }) => when === undefined || when(args))?.mode ?? 'exact'
}

/** Do the two replies agree? */
export function agree(mode: Mode, bare: Frame, proxied: Frame): boolean {
  if (bare === proxied || mode === 'skip') return true
  if (mode === 'shape') return shapeOf(bare) === shapeOf(proxied)
  return mode === 'sorted' && sortedForm(bare) === sortedForm(proxied)
}
