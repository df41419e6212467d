import { DIFFERENCES, type Difference } from '../../src/commands/differences.ts'
import type { CommandTable } from '../../src/commands/lookup.ts'
import type { CommandSpec } from '../../src/commands/spec.ts'

/**
 * The commands that a difference is about: those it names, or those whose names make up its `where`, a container for
 * all that is open of it. Throws when it names one that does not exist, and when it names none without saying so.
 */
export function commandsOf(difference: Difference, table: CommandTable): readonly CommandSpec[] {
  const { where, commands } = difference
  const names = commands?.split(' ').filter(Boolean) ?? where.split(', ').map((text) => nameOf(text, table))
  return names.flatMap((name) => {
    const spec = table.byName(name)
    if (spec === undefined) throw new Error(`differences.ts: "${where}" names no command; give it \`commands\``)
    return [spec, ...(spec.subcommands?.values() ?? [])].filter(({ open }) => open !== 'refused')
  })
}

/** "XREAD BLOCK … $" is xread, "CONFIG GET" is config|get. */
function nameOf(text: string, table: CommandTable): string {
  const [first, second] = text.toLowerCase().split(' ')
  const nested = `${first}|${second}`
  return table.byName(nested) === undefined ? first : nested
}

/** Numbers of the differences, from 1 on, by the index of their commands. */
export function differencesByCommand(table: CommandTable): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>()
  for (const [i, difference] of DIFFERENCES.entries()) {
    for (const { index } of new Set(commandsOf(difference, table))) {
      found.set(index, [...(found.get(index) ?? []), i + 1])
    }
  }
  return found
}
