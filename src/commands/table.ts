import { EXTENSION_COMMANDS, EXTENSION_ROWS } from './extensions.ts'
import { keyRange } from './key-range.ts'
import { CommandTable } from './lookup.ts'
import { MODULE_ROWS } from './modules.ts'
import { QUIRKS } from './quirks/index.ts'
import {
  EXTENSIONS,
  FUNCTIONS,
  MODULES,
  NOT_REVIEWED,
  PASSTHROUGH,
  REASONS,
  REVIEWED,
  type ReviewedGroup,
  SCRIPTS,
  SESSION,
} from './reviewed.ts'
import { flagBits, parseRow, type Row } from './rows.ts'
import { type CommandSpec, FLAG, type KeySpec, type Openness, type Presence, type Quirk, type Route } from './spec.ts'
import { ROWS, SERVERS } from './table.generated.ts'

const NO_QUIRK: Quirk = {}

/** Flags that hold only when every server says so; the others hold when one does. */
const ON_ALL_SERVERS = FLAG.READONLY | FLAG.FAST | FLAG.NOSCRIPT

/** What servers have, what modules bring along, and what Keyward adds. */
const ALL_ROWS: readonly string[] = [...ROWS, ...MODULE_ROWS, ...EXTENSION_ROWS]

/**
 * The command table from its rows. A name without a row is unknown, whatever the reviewed list says of it.
 * Throws where the rows contradict each other in a way that cannot be decided safely.
 */
export function buildTable(rows: readonly string[] = ALL_ROWS): CommandTable {
  const byName = new Map<string, Row[]>()
  for (const row of rows.map(parseRow)) byName.set(row.name, [...(byName.get(row.name) ?? []), row])
  const names = [...byName.keys()].sort()
  const containers = new Set(names.filter((name) => name.includes('|')).map((name) => name.split('|')[0]))
  const specs: CommandSpec[] = []
  // A container comes before its subcommands in the order of names; its map is filled as they come.
  const subcommands = new Map<string, Map<string, CommandSpec>>()
  for (const name of names) {
    const [container, sub] = name.split('|')
    const children = subcommands.get(container)
    if (sub === undefined && containers.has(name)) subcommands.set(name, new Map())
    if (sub !== undefined && children === undefined) throw new Error(`no row for the container of ${name}`)
    const own = byName.get(name) as Row[]
    const servers = new Set(own.flatMap((row) => row.servers))
    const spec = specOf(unite(own), servers, specs.length, subcommands.get(name), names)
    specs.push(spec)
    if (sub !== undefined) children?.set(sub, spec)
  }
  return new CommandTable(specs)
}

function specOf(
  row: Row & { bits: number },
  servers: ReadonlySet<string>,
  index: number,
  subcommands: ReadonlyMap<string, CommandSpec> | undefined,
  names: readonly string[],
): CommandSpec {
  const quirk = QUIRKS.get(row.name) ?? NO_QUIRK
  const range = quirk.keys === undefined ? keyRange(row.keySpecs) : { first: -1, last: 0, step: 0 }
  const route = routeOf(quirk)
  const open = subcommands === undefined ? openness(row.name) : containerOpenness(row.name, names)
  return {
    name: row.name,
    index,
    arity: row.arity,
    flags: row.bits,
    categories: row.categories,
    keySpecs: row.keySpecs,
    firstKey: range.first,
    lastKey: range.last,
    keyStep: range.step,
    channel: quirk.channel ?? 0,
    route,
    open,
    presence: presenceOf(row.name, servers),
    extension: EXTENSION_COMMANDS.get(row.name)?.extension,
    refusal: open === 'tenant' ? '' : reason(row.name),
    quirk,
    subcommands,
  }
}

function routeOf(quirk: Quirk): Route {
  return quirk.route ?? (quirk.answer === undefined ? 'shared' : 'local')
}

/** `servers`: those of the table that its rows name; a row that names none is of all. */
function presenceOf(name: string, servers: ReadonlySet<string>): Presence {
  if (FROM_MODULES.has(name)) return 'module'
  if (servers.size === 0 || ANSWERED_EVERYWHERE.has(name)) return 'always'
  return SERVERS.every((server) => servers.has(server.replace(' ', '-'))) ? 'always' : 'newer'
}

/** Of newer servers, and so small that Keyward has them whatever the upstream is: client libraries send them first of all. */
const ANSWERED_EVERYWHERE: ReadonlySet<string> = new Set(['client|no-touch', 'client|setinfo'])

const FROM_MODULES = namesOf(MODULES)
const TENANT = namesOf([...REVIEWED, ...MODULES])
const PASS = namesOf(PASSTHROUGH)
const EXTRA = namesOf(EXTENSIONS)
const SCRIPTED = namesOf([SCRIPTS])
const FUNCTIONAL = namesOf([FUNCTIONS])

function namesOf(groups: readonly ReviewedGroup[]): ReadonlySet<string> {
  return new Set(groups.flatMap((group) => group.names))
}

const MOST_OPEN: readonly Openness[] = ['tenant', 'script', 'function', 'passthrough']

const ANSWERED: ReadonlySet<string> = new Set(SESSION.names)

function openness(name: string): Openness {
  const quirk = QUIRKS.get(name)
  if (ANSWERED.has(name) && quirk?.answer === undefined && quirk?.forward === undefined) return 'refused'
  if (TENANT.has(name)) return 'tenant'
  if (SCRIPTED.has(name)) return 'script'
  if (FUNCTIONAL.has(name)) return 'function'
  if (EXTRA.has(name)) return 'extension'
  return PASS.has(name) ? 'passthrough' : 'refused'
}

/** A container is as open as the most open of its subcommands: it only ever answers that one is missing or unknown. */
function containerOpenness(name: string, names: readonly string[]): Openness {
  const all = names.filter((other) => other === name || other.startsWith(`${name}|`)).map(openness)
  return MOST_OPEN.find((one) => all.includes(one)) ?? 'refused'
}

function reason(name: string): string {
  const extension = EXTENSION_COMMANDS.get(name)?.extension
  if (extension !== undefined) return `only for tenants with \`extensions: [${extension}]\``
  return REASONS.get(name) ?? REASONS.get(name.split('|')[0]) ?? NOT_REVIEWED
}

/**
 * What holds on all servers: the widest arity (a server that wants more says so itself), the union of flags except
 * those that open something, the union of categories. Where keys are must not differ, unless a quirk finds them.
 */
function unite(rows: readonly Row[]): Row & { bits: number } {
  const all = rows.map((row) => flagBits(row.flags))
  const common = all.reduce((a, b) => a & b)
  const some = all.reduce((a, b) => a | b)
  const bits = (some & ~ON_ALL_SERVERS) | (common & ON_ALL_SERVERS)
  if (rows.length === 1) return { ...rows[0], bits }
  const arities = rows.map((row) => row.arity)
  const arity = arities.every((n) => n === arities[0]) ? arities[0] : -Math.min(...arities.map(Math.abs))
  const keySpecs = rows[0].keySpecs
  if (QUIRKS.get(rows[0].name)?.keys === undefined && !rows.every((row) => samePlaces(row.keySpecs, keySpecs))) {
    throw new Error(`servers disagree about the keys of ${rows[0].name}; it needs a quirk`)
  }
  return { ...rows[0], arity, keySpecs, bits, categories: [...new Set(rows.flatMap((row) => row.categories))].sort() }
}

function samePlaces(a: readonly KeySpec[], b: readonly KeySpec[]): boolean {
  const places = (specs: readonly KeySpec[]) =>
    JSON.stringify(specs.map(({ begin, find, flags }) => [begin, find, flags.includes('not_key')]))
  return places(a) === places(b)
}
