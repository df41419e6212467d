import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTable } from '../../src/commands/table.ts'
import { ask, decode } from '../helpers/differential.ts'
import { combinationsFor, combinationText } from './combinations.ts'
import { argsOf, runCommand } from './command-run.ts'
import { SCENARIOS, TWICE, WHOLE } from './elsewhere.ts'
import { type CommandDoc, readDocs } from './grammar.ts'
import { LISTS_PER_COMMAND, listsFor } from './lists.ts'
import { rowBeside } from './modes.ts'
import { KEYS } from './pool.ts'
import { openSides, SELF, type Sides } from './sides.ts'
import { expectAtLeast, Tally } from './tally.ts'

/**
 * Every command that is open for tenants, 50 argument lists each, at least half of them wrong, in RESP2 and RESP3, in
 * and out of MULTI, with and without numbered databases: what Keyward answers is what a bare server answers, byte for
 * byte, and leaves the same data behind.
 */

/** Replies that were compared byte by byte in one run of the default tier with Redis 7.0; may only grow. */
const LEAST_EXACT = { plain: 22_500, 'in MULTI': 69_000, 'in a numbered database': 11_200 }

/** ACL LIST, which Keyward does not open, is among what comes of it. */
const CONTAINERS = new Set(['acl'])

const specs = buildTable()
  .all()
  .filter(({ name, presence }) => presence !== 'module' && !CONTAINERS.has(name))
  .filter(({ open, name }) => open === 'tenant' && (TWICE.has(name) || !(WHOLE.has(name) || SCENARIOS.has(name))))
/** One command at a time without MULTI and databases, and everything else. */
const tallies = { plain: new Tally(), 'in MULTI': new Tally(), 'in a numbered database': new Tally() }
let ran = 0

let sides: Sides
let docs: Map<string, CommandDoc>
let payloads: string[]

beforeAll(async () => {
  sides = await openSides()
  const { bare, proxied } = sides.doors()
  await Promise.all([bare.reload(), proxied.reload()])
  const client = await sides.bare()
  docs = readDocs((await ask(client, [['COMMAND', 'DOCS']]))[0])
  const keys = [
    ...KEYS.string.slice(0, 3),
    ...KEYS.list.slice(0, 2),
    ...KEYS.hash.slice(0, 2),
    'set:a',
    'zset:a',
    'stream:b',
  ]
  const dumps = (
    await ask(
      client,
      keys.map((key) => ['DUMP', key]),
    )
  ).map((frame) => decode(frame).text ?? '')
  payloads = [...dumps, ...dumps, 'not a payload', '', dumps[0].slice(0, -1)]
  client.destroy()
}, 120_000)

afterAll(() => sides?.stop())

const runs = specs.flatMap((spec) =>
  combinationsFor(spec.name).map(
    (combination) => [spec.name, combinationText(combination), spec, combination] as const,
  ),
)

describe('commands', () => {
  it.each(runs)('%s, %s', { timeout: 60_000 }, async (name, _text, spec, combination) => {
    const lists = listsFor(name, docs.get(name), payloads)
    expect(lists.length).toBeGreaterThanOrEqual(LISTS_PER_COMMAND)
    expect(lists.filter(({ wrong }) => wrong).length * 2).toBeGreaterThanOrEqual(lists.length)
    const { multi, place } = combination
    const tally = tallies[multi ? 'in MULTI' : place === 'plain' ? 'plain' : 'in a numbered database']
    if (docs.has(name)) {
      expect(await runCommand({ sides, spec, lists: argsOf(lists), combination, tally, rowOf: rowBeside })).toEqual([])
      // What the server in use is too old for, and Keyward answers itself, has nothing to be compared with.
    } else for (const _ of lists) tally.add(name, 'skip')
    ran++
  })
})

it('compares as many lists byte by byte as it did before', () => {
  if (ran < runs.length || SELF) return
  const texts = Object.entries(tallies).map(([name, tally]) => `  ${name}: ${tally.text()}; ${tally.inexactText()}`)
  console.log(`differential: ${specs.length} commands, ${runs.length} runs\n${texts.join('\n')}`)
  expectAtLeast(tallies, LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
})
