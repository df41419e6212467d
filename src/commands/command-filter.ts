import { nearest } from '../lib/nearest.ts'
import type { CommandTable } from './lookup.ts'
import type { CommandSpec } from './spec.ts'

interface Wrong {
  readonly message: string
  readonly cure: string
}

/** 1 at the index of every spec that the rules let through, else 0; or what is wrong with them and what to write instead. */
export type FilterReading = { readonly value: Uint8Array } | Wrong

/**
 * Reads rules on commands as Redis' ACLs have them: `+get`, `-get`, `+client|list`, `+@read`, `-@dangerous`, `+@all`,
 * `allcommands`, `nocommands`, apart by blanks, in any case, each changing what those before it left. A container stands
 * for its subcommands, too. They start from no command; only where the first rule takes something away, which would
 * then have nothing to take from, from all of them. What this table does not know is an error.
 * https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
 */
export function parseCommandFilter(text: string, table: CommandTable): FilterReading {
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return { message: 'has no rule', cure: 'write rules on commands, such as "+@write -del"' }
  const value = new Uint8Array(table.all().length).fill(takesAway(words[0]) ? 1 : 0)
  for (const word of words) {
    const targets = targetsOf(word, table)
    if (!('specs' in targets)) return targets
    const bit = takesAway(word) ? 0 : 1
    for (const spec of targets.specs) {
      value[spec.index] = bit
      for (const sub of spec.subcommands?.values() ?? []) value[sub.index] = bit
    }
  }
  return { value }
}

function takesAway(word: string): boolean {
  return word.startsWith('-') || word.toLowerCase() === 'nocommands'
}

type Targets = { readonly specs: readonly CommandSpec[] } | Wrong

/** The commands that one rule is about. */
function targetsOf(word: string, table: CommandTable): Targets {
  if (/^(all|no)commands$/i.test(word)) return { specs: table.all() }
  const [, sign, at, name] = /^([+-])(@?)([^@].*)$/.exec(word.toLowerCase()) ?? []
  if (name === undefined) return { message: `${quote(word)} is no rule on commands`, cure: cureOf(word, table) }
  return at === '' ? commandOf(word, sign, name, table) : categoryOf(word, sign, name, table)
}

function categoryOf(word: string, sign: string, name: string, table: CommandTable): Targets {
  if (name === 'all') return { specs: table.all() }
  const specs = table.all().filter((spec) => spec.categories.includes(name))
  if (specs.length > 0) return { specs }
  const known = [...new Set(['all', ...table.all().flatMap((spec) => spec.categories)])].sort()
  const cure = didYouMean(`${sign}@`, name, known) ?? `known: ${known.map((each) => `@${each}`).join(', ')}`
  return { message: `${quote(word)} names no category`, cure }
}

function commandOf(word: string, sign: string, name: string, table: CommandTable): Targets {
  const spec = table.byName(name)
  if (spec !== undefined) return { specs: [spec] }
  const [container, ...rest] = name.split('|')
  const parent = rest.length === 0 ? undefined : table.byName(container)
  if (parent === undefined) {
    const known = table.all().map((each) => each.name)
    const cure = name.includes(',') ? 'put blanks between the rules' : 'see docs/commands.md for the names'
    return { message: `${quote(word)} names no command`, cure: didYouMean(sign, name, known) ?? cure }
  }
  const subs = [...(parent.subcommands?.keys() ?? [])]
  // Redis still takes `+select|0`, a rule on the first argument, and calls that deprecated.
  if (subs.length === 0) {
    return { message: `${quote(word)}: ${container} has no subcommands`, cure: `write ${sign}${container}` }
  }
  const cure = didYouMean(`${sign}${container}|`, rest.join('|'), subs) ?? `known: ${subs.join(', ')}`
  return { message: `${quote(word)} names no subcommand of ${container}`, cure }
}

/** For a word without its sign, or one that is a rule on something else. */
function cureOf(word: string, table: CommandTable): string {
  const meant = /^[a-z@]/i.test(word) && 'specs' in targetsOf(`+${word}`, table)
  return meant ? `write +${word} or -${word}` : 'write +command, -command, +@category or -@category'
}

function didYouMean(start: string, name: string, known: readonly string[]): string | undefined {
  const near = nearest(name, known)
  return near === undefined ? undefined : `did you mean ${start}${near}?`
}

/** On one line, whatever is in it. */
function quote(word: string): string {
  return JSON.stringify(word.length > 60 ? `${word.slice(0, 59)}…` : word)
}
