import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTable } from '../../src/commands/table.ts'
import { type Args, ask } from '../helpers/differential.ts'
import { Conversation } from './conversation.ts'
import { SCENARIOS, WHOLE } from './elsewhere.ts'
import { type CommandDoc, readDocs } from './grammar.ts'
import { listsFor } from './lists.ts'
import { rowBeside } from './modes.ts'
import { computedScript, literalScript, readScriptCases } from './script-cases.ts'
import { FORMS, IN_MULTI_ONCE, ScriptRuns } from './script-run.ts'
import { openSides, SELF, type Sides } from './sides.ts'
import { expectAtLeast, Tally } from './tally.ts'

/**
 * Scripts: what they return, the text and the line of every error, and the data that they leave, as on a bare server, byte for
 * byte. Those of cases/scripts by EVAL, EVALSHA, EVAL_RO and in MULTI, and all commands that are open, with right and
 * wrong arguments, called by name and by a name that is only known at run time.
 */

const LEAST_EXACT = { scripts: 13_000, commands: 700 }
const tallies = { scripts: new Tally(), commands: new Tally() }
/** Refused to scripts of tenants, or served by Keyward, outside of scripts. */
const NOT_IN_SCRIPTS = /^(acl|command)\b/
/** So many lists of each command, of which half are wrong, in one script. */
const LISTS = 10

const cases = readScriptCases()
/** SHA-1 of `return 1`. */
const RETURN_1 = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
const table = buildTable()
const specs = table
  .all()
  .filter(
    ({ open, name, presence, route }) =>
      open === 'tenant' &&
      route === 'shared' &&
      !NOT_IN_SCRIPTS.test(name) &&
      presence !== 'module' &&
      presence !== 'newer' &&
      !(WHOLE.has(name) || SCENARIOS.has(name)),
  )

let sides: Sides
let docs: Map<string, CommandDoc>
let scripts: ScriptRuns
let commands: ScriptRuns
let ran = 0

beforeAll(async () => {
  sides = await openSides()
  const client = await sides.bare()
  docs = readDocs((await ask(client, [['COMMAND', 'DOCS']]))[0])
  client.destroy()
  scripts = new ScriptRuns(sides, tallies.scripts, () => undefined)
  commands = new ScriptRuns(sides, tallies.commands, () => undefined)
}, 120_000)

afterAll(async () => {
  await scripts?.close()
  await commands?.close()
  await sides?.stop()
})

describe('scripts', () => {
  it.each(cases.map((one) => [one.name, one] as const))(
    '%s',
    { timeout: 60_000 },
    async (_, { lua, keys, args, file, differs }) => {
      ran++
      if (differs !== undefined) {
        tallies.scripts.add(differs, 'skip')
        return
      }
      const problems: string[] = []
      const forms =
        file === 'compile' ? [...FORMS.filter(({ name }) => !name.startsWith('in MULTI')), IN_MULTI_ONCE] : FORMS
      for (const form of forms) problems.push(...(await scripts.run(form, lua, keys, args)))
      expect(problems).toEqual([])
    },
  )
})

/** What is around scripts: half of it wrong. */
const AROUND: readonly Args[] = [
  ['SCRIPT'],
  ['SCRIPT', 'NONSENSE'],
  ['SCRIPT', 'HELP'],
  ['SCRIPT', 'LOAD'],
  ['SCRIPT', 'LOAD', 'return 1', 'x'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['script', 'load', 'return 1 1'],
  ['SCRIPT', 'EXISTS'],
  ['SCRIPT', 'EXISTS', 'x', RETURN_1, RETURN_1.toUpperCase(), ''],
  ['EVALSHA', RETURN_1, '0'],
  ['SCRIPT', 'FLUSH', 'NOW'],
  ['SCRIPT', 'FLUSH', 'SYNC', 'x'],
  ['EVALSHA', RETURN_1, '0'],
  ['SCRIPT', 'FLUSH'],
  ['SCRIPT', 'EXISTS', RETURN_1],
  ['EVALSHA', RETURN_1, '0'],
  ['EVAL', 'return 1', '0'],
  ['EVALSHA', RETURN_1, '0'],
  ['SCRIPT', 'FLUSH', 'async'],
  ['EVALSHA_RO', RETURN_1, '0'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['SCRIPT', 'FLUSH', 'Sync'],
  ['SCRIPT', 'KILL'],
  ['SCRIPT', 'KILL', 'x'],
  ['EVAL'],
  ['EVAL', 'return 1'],
  ['EVAL', 'return 1', 'x'],
  ['EVAL', 'return 1', ''],
  ['EVAL', 'return 1', '-1'],
  ['EVAL', 'return 1', '1'],
  ['EVAL', 'return 1', '2', 'a'],
  ['EVAL', 'return 1', '1.5', 'a'],
  ['EVAL', 'return 1', '+1', 'a'],
  ['EVAL', 'return 1', ' 1', 'a'],
  ['EVAL', 'return 1', '99999999999999999999'],
  ['EVAL', 'return #KEYS', '2', 'a', 'a', 'b'],
  ['EVAL', '', '0'],
  ['EVAL_RO', "return redis.call('SET', KEYS[1], 'x')", '1', 'str'],
  ['eval_ro', "return redis.call('GET', KEYS[1])", '1', 'str'],
  ['EVALSHA', 'short', '0'],
  ['EVALSHA', 'z'.repeat(40), '0'],
  ['EVALSHA', '0'.repeat(40), '1'],
  ['EVALSHA', '0'.repeat(40), 'x'],
  ['EVALSHA', '', '0'],
  ['EVALSHA', RETURN_1],
]

// Both sides of one server would take the scripts from each other.
describe.skipIf(SELF)('around scripts', () => {
  it.each([2, 3] as const)('RESP%i', { timeout: 60_000 }, async (protocol) => {
    const doors = sides.doors()
    await Promise.all([doors.bare.reload(), doors.proxied.reload()])
    const [bare, proxied] = await Promise.all([sides.bare({ protocol }), sides.proxied({ protocol })])
    const conversation = new Conversation(bare, proxied, tallies.scripts, () => undefined)
    const problems: string[] = []
    // One by one: the bare side's FLUSH takes from the server what Keyward has there, too, and in a pipeline that shows.
    for (const args of AROUND) problems.push(...(await conversation.say('around', [args])))
    for (const args of AROUND.filter(([name]) => !/^script$/i.test(name)))
      problems.push(...(await conversation.say('around', [['MULTI'], ['SET', 'x', '1'], args, ['EXEC']])))
    bare.destroy()
    proxied.destroy()
    expect(problems).toEqual([])
  })
})

describe('commands in scripts', () => {
  it.each(specs.map((spec) => [spec.name] as const))('%s', { timeout: 60_000 }, async (name) => {
    const lists: Args[] = listsFor(name, docs.get(name), ['not a payload'])
      .map(({ args }) => args)
      .filter((args) => !isOther(args) && args.length > name.split('|').length)
      .slice(0, LISTS)
    const computed = computedScript(lists)
    const problems: string[] = []
    for (const form of FORMS.slice(0, 2)) {
      problems.push(...(await commands.run(form, literalScript(lists), [], [])))
      problems.push(...(await commands.run(form, computed.lua, [], computed.args)))
    }
    ran++
    expect(problems).toEqual([])
  })
})

/** Compared another way; SORT by other keys is denied to a script (docs/commands.md). */
function isOther(args: Args): boolean {
  return rowBeside(args) !== undefined || (/^sort/i.test(args[0]) && args.some((arg) => /^(by|get)$/i.test(arg)))
}

it('compares as many replies byte by byte as it did before', () => {
  if (ran < cases.length + specs.length || SELF) return
  const texts = Object.entries(tallies).map(([name, tally]) => `  ${name}: ${tally.text()}; ${tally.inexactText()}`)
  console.log(`differential: ${cases.length} scripts, ${specs.length} commands in scripts\n${texts.join('\n')}`)
  expectAtLeast(tallies, LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
})
