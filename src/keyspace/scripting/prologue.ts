import { readFileSync } from 'node:fs'
import type { CodeFields, CommandCode, CommandCodes } from './command-codes.ts'
import { ABOUT_ERRORS, NOT_EVERYWHERE, type ScriptFacts, SHADOWED } from './script-facts.ts'

/** What prologues know of commands. */
export interface Vocabulary {
  readonly codes: CommandCodes
  /** Every command, as calls.lua finds them: `name field … ;`. */
  readonly all: string
  /** With what the rules on times to live need. */
  readonly ttl: boolean
}

export function vocabulary(codes: CommandCodes, ttl: boolean): Vocabulary {
  const all = [...codes].map(([name, code]) => `${name} ${fieldsOf(code).map(wordOf).join(' ')};`).join('')
  return { codes, all, ttl }
}

/** The parts of the `.lua` files beside this one, each as one line without comments. */
export class PrologueParts {
  private readonly parts = new Map<string, string>()

  /** Reads the files, once at start. */
  constructor() {
    for (const file of ['prologue', 'calls', 'times', 'globals', 'errors']) {
      const [, ...parts] = readFileSync(new URL(`${file}.lua`, import.meta.url), 'latin1').split(/^--@ /m)
      for (const part of parts) {
        const [name, ...lines] = part.split('\n')
        this.parts.set(name, oneLine(lines))
      }
    }
  }

  /** A part, with its fillings in place of what stands between `«` and `»` in it. */
  part(name: string, fillings: Readonly<Record<string, string>> = {}): string {
    const text = this.parts.get(name)
    if (text === undefined) throw new Error(`no part of the prologue is called ${name}`)
    return text.replace(MARK, (_, mark: string) => fillings[mark] ?? '')
  }
}

/** In latin1, as the files are read. */
const MARK = /\xc2\xab(\w+)\xc2\xbb/g

function oneLine(lines: readonly string[]): string {
  const code = lines.map((line) => line.replace(/(^|\s)--.*/, '').trim())
  return code.filter((line) => line !== '').join(' ')
}

/** Lua in one line, to be put in front of a script of which these are the facts. */
export function prologueOf(facts: ScriptFacts, { codes, all, ttl }: Vocabulary, parts: PrologueParts): string {
  const named = commandsIn(facts.texts, codes)
  const reached = ['_G', 'load', 'loadstring'].some((name) => facts.names.has(name))
  const { errors, seeds } = facts
  const isHarmless = (name: string) =>
    (name === 'cjson' && !facts.cjson) || (name === 'math' && !seeds) || (ABOUT_ERRORS.has(name) && !errors)
  const shadows = SHADOWED.filter((name) => facts.names.has(name) && !isHarmless(name))
  const uses = (member: string) => facts.whole || reached || facts.members.has(member)
  const keys = reached || facts.names.has('KEYS') ? parts.part('keys') : ''
  if (!facts.names.has('redis') && shadows.length === 0) return `${parts.part('none', { keys })} `
  const lines: string[] = []
  const add = (name: string, fillings?: Readonly<Record<string, string>>) => lines.push(parts.part(name, fillings))

  // A name that a server lacks would be an error there: it is not read before it is set.
  const values = shadows.filter((name) => !NOT_EVERYWHERE.has(name))
  const listed = (names: readonly string[]) => names.map((name) => `,${name}`).join('')
  const used = shadows.filter((name) => name === 'math' || ABOUT_ERRORS.has(name))
  add('open', { names: `redis${listed(shadows)}`, values: listed(values), kept: kept(used), commands: literal(named) })
  lines.push(keys)
  const times = ttl ? Object.fromEntries(TIMES.map((name) => [name, parts.part(name)])) : {}
  if (['call', 'pcall', 'log', 'acl_check_cmd'].some(uses)) {
    add('slow', { ...times, ...slowParts(facts, codes, all, named, uses('acl_check_cmd'), parts, times) })
  }
  const short = new Set(named.values())
  const ways = [3, 2, 0].filter((code) => short.has(code)).map((code) => parts.part(WAYS[code]))
  if (uses('call')) add('call', { ways: ways.join(' ') })
  if (uses('pcall')) add('pcall')
  if (uses('log')) add('log')
  if (uses('acl_check_cmd')) add('acl')
  if (facts.whole || reached || shadows.length > 0) add('readonly')
  if (facts.whole || reached) add('whole')
  else add('members', { members: [...facts.members].map(memberOf).join(',') })
  if (shadows.length > 0) {
    add('globals')
    if (reached || shadows.includes('cjson')) add('cjson')
    if (reached || shadows.includes('collectgarbage')) add('collectgarbage')
    if (reached || shadows.includes('getmetatable')) add('getmetatable')
    if (reached || used.some((name) => ABOUT_ERRORS.has(name))) add('errors')
    if (reached || used.includes('math')) add('math')
    if (reached) add('load')
    if (reached) add('table of globals')
  }
  const set = shadows.filter((name) => !used.includes(name)).map((name) => `${name}=G.${name}`)
  if (used.length > 0) set.push(`Z(${used.map((name) => `G.${name}`).join(',')})`)
  add('close', { shadows: set.join(' ') })
  return `${lines.join(' ')} `
}

/** For names that the prologue itself uses: Z sets the script's, while the prologue goes on with Lua's. */
function kept(names: readonly string[]): string {
  if (names.length === 0) return ''
  const list = names.join(',')
  const values = names.map((_, i) => `v${i}`).join(',')
  return `local function Z(${values}) ${list}=${values} end local ${list}=${list}`
}

/**
 * What of calls.lua a script needs beside the common: every text that is not there is memory that each script takes in each server,
 * in its cache of scripts and, three times that, compiled.
 */
function slowParts(
  facts: ScriptFacts,
  codes: CommandCodes,
  all: string,
  named: CommandCodes,
  asks: boolean,
  parts: PrologueParts,
  times: Readonly<Record<string, string>>,
): Record<string, string> {
  const reachable = facts.computed ? codes : named
  const kinds = kindsOf(reachable.values())
  const strips = [...reachable.values()].some((code) => typeof code === 'object' && (code[4] || code[5]))
  const wanted: readonly (readonly [name: string, isWanted: boolean])[] = [
    ['databases', kinds.some((kind) => NEED_DATABASES.has(kind))],
    ['words', kinds.length > 1 || 'live' in times],
    ['rest', kinds.length > 1],
    ['replies', strips],
    ['strip', strips],
    ['asking', asks],
    ['ask', asks],
  ]
  return {
    computed: facts.computed ? parts.part('computed', { all }) : '',
    kinds: kinds.map((kind) => parts.part(`kind ${kind}`, times)).join(','),
    ...Object.fromEntries(wanted.map(([name, isWanted]) => [name, isWanted ? parts.part(name) : ''])),
  }
}

/** The parts of times.lua. */
const TIMES = ['live', 'before', 'after', 'marked', 'fresh', 'moved']

/** Kinds for which other databases of the tenant count, or what is in front of its channels. */
const NEED_DATABASES: ReadonlySet<unknown> = new Set(['c', 'd', 'm', 'p'])

/** Those of commands with codes of fields, and that of all others. */
function kindsOf(codes: Iterable<CommandCode>): unknown[] {
  const kinds = new Set<unknown>(['r'])
  for (const code of codes) if (typeof code === 'object') kinds.add(code[0])
  return [...kinds]
}

const WAYS: readonly string[] = ['without', '', 'all', 'two']

/** Those that a prologue has of its own; the rest of `redis` is as it is. */
const OWN_MEMBERS: ReadonlyMap<string, string> = new Map([
  ['call', 'call'],
  ['pcall', 'pcall_'],
  ['log', 'log'],
  ['acl_check_cmd', 'acl'],
])

function memberOf(name: string): string {
  return `['${name}']=${OWN_MEMBERS.get(name) ?? `U['${name}']`}`
}

/** The commands that are spelled in these texts, as they are spelled, and the subcommands of containers among them. */
function commandsIn(texts: ReadonlySet<string>, codes: CommandCodes): Map<string, CommandCode> {
  const found = new Map<string, CommandCode>()
  for (const text of texts) {
    const name = text.toLowerCase()
    const code = name.includes('|') ? undefined : codes.get(name)
    if (code === undefined) continue
    found.set(text, code)
    if (code !== 'o') continue
    for (const [sub, subcode] of codes) if (sub.startsWith(`${name}|`)) found.set(sub, subcode)
  }
  return found
}

/** The inside of a table constructor. Names of commands hold no quote, backslash or line end. */
function literal(commands: ReadonlyMap<string, CommandCode>): string {
  return [...commands].map(([name, code]) => `['${name}']=${luaOf(code)}`).join(',')
}

function luaOf(code: CommandCode): string {
  if (typeof code === 'number') return `${code}`
  if (typeof code === 'string') return `'${code}'`
  return `{${code.map((field) => (typeof field === 'string' ? `'${field}'` : `${field}`)).join(',')}}`
}

function fieldsOf(code: CommandCode): CodeFields {
  return typeof code === 'object' ? code : [code]
}

function wordOf(field: string | number | boolean): string {
  return field === false ? '-' : `${field}`
}
