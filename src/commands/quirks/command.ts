import { globMatches } from '../../lib/glob.ts'
import type { Reply } from '../../resp/types.ts'
import type { Session } from '../../session/session.ts'
import type { ArgView } from '../arg-view.ts'
import { docsOf, hasKey, infoOf, writeKeys } from '../extension-replies.ts'
import { EXTENSION_COMMANDS, type ExtensionCommand } from '../extensions.ts'
import type { CommandSpec, LocalCall, Quirk } from '../spec.ts'
import { help } from './help.ts'
import { tenantOf } from './tenant-of.ts'

/** The longest name is a third of it. A limit, because matching takes time in proportion to the pattern. */
const NAME_BYTES = 64
const PATTERN_BYTES = 1024

/** Stands for a command that the tenant may not know of. No server has one of this name. */
const NOBODY = Buffer.from('keyward-none')

const HELP = [
  'COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
  'HELP',
  '    Prints this help.',
]

/** What a tenant may run, by name; a subcommand as "container|sub", behind its container. */
interface OpenCommands {
  readonly byName: ReadonlyMap<string, CommandSpec>
  /** Names of the commands of the upstream that are not subcommands, as bytes to send. */
  readonly top: readonly Buffer[]
  /** How many are not subcommands, with those of Keyward's own. */
  readonly count: number
}

/** One for each list that the server view hands out, made when it is first asked for. */
const known = new WeakMap<readonly CommandSpec[], OpenCommands>()

function openCommands(call: LocalCall): OpenCommands {
  const tenant = tenantOf(call.session)
  const specs = call.server.commands(tenant)
  let open = known.get(specs)
  if (open === undefined) {
    open = index(specs)
    known.set(specs, open)
  }
  return open
}

function index(specs: readonly CommandSpec[]): OpenCommands {
  const open = new Set(specs)
  const byName = new Map<string, CommandSpec>()
  for (const spec of specs) {
    byName.set(spec.name, spec)
    for (const sub of spec.subcommands?.values() ?? []) {
      if (open.has(sub)) byName.set(sub.name, sub)
    }
  }
  const top = [...byName.values()].filter(({ name }) => !name.includes('|'))
  const theirs = top.filter(({ extension }) => extension === undefined)
  return { byName, top: theirs.map(({ name }) => Buffer.from(name, 'latin1')), count: top.length }
}

/** Commands of Keyward's own that the tenant has, by name. */
function ownCommand({ tenant }: Session, name: string): ExtensionCommand | undefined {
  const own = EXTENSION_COMMANDS.get(name.toLowerCase())
  return own !== undefined && tenant?.extensions.has(own.extension) ? own : undefined
}

/** COMMAND LIST [FILTERBY MODULE module | ACLCAT category | PATTERN pattern] */
function list(call: LocalCall): void {
  const { args, reply } = call
  const { byName } = openCommands(call)
  const names: string[] = []
  if (args.length === 2) names.push(...byName.keys())
  else if (args.length !== 5 || !args.is(2, 'FILTERBY')) {
    reply.error('ERR syntax error')
    return
  } else if (args.is(3, 'ACLCAT')) {
    const category = args.text(4, NAME_BYTES).toLowerCase()
    for (const [name, spec] of byName) if (spec.categories.includes(category)) names.push(name)
  } else if (args.is(3, 'PATTERN')) {
    const pattern = args.text(4, PATTERN_BYTES + 1)
    if (pattern.length <= PATTERN_BYTES) {
      const bytes = Buffer.from(pattern, 'latin1')
      for (const name of byName.keys()) if (globMatches(bytes, Buffer.from(name, 'latin1'), true)) names.push(name)
    }
  } else if (!args.is(3, 'MODULE')) {
    reply.error('ERR syntax error')
    return
  }
  // FILTERBY MODULE: which command is of which module, only the upstream knows.
  reply.array(names.length)
  for (const name of names) reply.bulk(name)
}

/**
 * COMMAND, COMMAND INFO [name …] and COMMAND DOCS [name …] of the upstream, for open commands only. A container
 * comes with all its subcommands, also those that are not open: the reply goes to the client as it is.
 */
function describe(call: LocalCall, subcommand: 'INFO' | 'DOCS'): readonly Buffer[] {
  const { args } = call
  const { byName, top } = openCommands(call)
  const request: Buffer[] = [Buffer.from('COMMAND'), Buffer.from(subcommand)]
  if (args.length <= 2) return [...request, ...top]
  for (let i = 2; i < args.length; i++) {
    const spec = byName.get(args.text(i, NAME_BYTES).toLowerCase())
    // What is Keyward's own is put into the reply; the upstream may have another command of that name.
    request.push(spec !== undefined && spec.extension === undefined ? args.bytes(i) : NOBODY)
  }
  return request
}

/** Keyward's own commands that are asked for, and where in the request their names are; 0: it asks for all commands. */
function* ownAsked(args: ArgView, session: Session): Iterable<readonly [number, ExtensionCommand]> {
  if (args.length <= 2) {
    for (const name of EXTENSION_COMMANDS.keys()) {
      const own = ownCommand(session, name)
      if (own !== undefined) yield [0, own]
    }
  }
  for (let i = 2; i < args.length; i++) {
    const own = ownCommand(session, args.text(i, NAME_BYTES))
    if (own !== undefined) yield [i, own]
  }
}

/** In the place of the null that the upstream says of each, or behind its own. */
function amendInfo({ items = [] }: Reply, args: ArgView, session: Session): void {
  for (const [at, own] of ownAsked(args, session)) {
    const info = infoOf(own, session.protocol)
    if (at === 0) items.push(info)
    else items[at - 2] = info
  }
}

/** The upstream says nothing of what it does not know. */
function amendDocs({ items }: Reply, args: ArgView, session: Session): void {
  for (const [, own] of ownAsked(args, session)) items?.push(...docsOf(own, session.protocol))
}

/** COMMAND GETKEYS and GETKEYSANDFLAGS: of one that is not open the upstream says, as of any unknown one, that it is invalid. */
function getKeys(call: LocalCall): readonly Buffer[] | undefined {
  const { args, reply } = call
  const own = ownCommand(call.session, args.text(2, NAME_BYTES))
  if (own !== undefined && !hasKey(own)) {
    reply.error('ERR The command has no key arguments')
    return undefined
  }
  if (own !== undefined && args.length > 3) {
    writeKeys(reply, own, args.bytes(3), args.is(1, 'GETKEYSANDFLAGS'))
    return undefined
  }
  const request: Buffer[] = []
  for (let i = 0; i < args.length; i++) request.push(args.bytes(i))
  if (!innerIsOpen(call)) request[2] = NOBODY
  return request
}

function innerIsOpen(call: LocalCall): boolean {
  const { args } = call
  const { byName } = openCommands(call)
  const name = args.text(2, NAME_BYTES).toLowerCase()
  // "client|id" names a subcommand elsewhere, but here the subcommand is an argument of its own.
  const spec = name.includes('|') ? undefined : byName.get(name)
  if (spec?.subcommands === undefined || args.length === 3) return spec !== undefined
  return byName.has(`${name}|${args.text(3, NAME_BYTES).toLowerCase()}`)
}

/** COMMAND about what this tenant may run. */
export const quirks: Readonly<Record<string, Quirk>> = {
  command: { forward: (call) => describe(call, 'INFO'), amend: amendInfo },
  'command|count': { answer: (call) => call.reply.integer(openCommands(call).count) },
  'command|docs': { forward: (call) => describe(call, 'DOCS'), amend: amendDocs },
  'command|getkeys': { forward: getKeys },
  'command|getkeysandflags': { forward: getKeys },
  'command|help': help(HELP),
  'command|info': { forward: (call) => describe(call, 'INFO'), amend: amendInfo },
  'command|list': { answer: list },
}
