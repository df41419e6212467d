import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTable } from '../../src/commands/table.ts'
import { type Args, ask, decode } from '../helpers/differential.ts'
import { databases } from './cases/databases.ts'
import { keyspace } from './cases/keyspace.ts'
import { COMPLETE, combinationsFor, combinationText, PLACES, type Place } from './combinations.ts'
import { argsOf, runCommand } from './command-run.ts'
import { Conversation } from './conversation.ts'
import { WHOLE } from './elsewhere.ts'
import { type CommandDoc, readDocs } from './grammar.ts'
import { listsFor } from './lists.ts'
import { rowOf } from './modes.ts'
import { openOwnServers } from './own-servers.ts'
import { runSequence } from './sequence-run.ts'
import { SELF, type Sides } from './sides.ts'
import { expectAtLeast, Tally } from './tally.ts'
import { PATTERNS } from './values.ts'

/**
 * Commands that see or change a whole server, or one database from another: a tenant's Redis answers as a server with
 * nobody else on it does, with as many databases as the tenant has, and what belongs to others stays as it was.
 */

const specs = buildTable()
  .all()
  .filter(({ open, name }) => (open === 'tenant' || SELF) && WHOLE.has(name))
/** Replies compared byte by byte in the default tier; may only grow. */
const LEAST_EXACT = { 'generated lists': 15_400, sequences: 3_450 }

const tallies = { 'generated lists': new Tally(), sequences: new Tally(), 'SCAN to its end': new Tally() }
let ran = 0

let sides: Sides
let docs: Map<string, CommandDoc>
let payloads: string[]

beforeAll(async () => {
  sides = await openOwnServers()
  const client = await sides.bare()
  docs = readDocs((await ask(client, [['COMMAND', 'DOCS']]))[0])
  payloads = []
  client.destroy()
}, 120_000)

afterAll(() => sides?.stop())

const WALKED: readonly Place[] = COMPLETE ? PLACES : ['plain', 'db3']

const runs = specs.flatMap((spec) =>
  combinationsFor(spec.name).map(
    (combination) => [spec.name, combinationText(combination), spec, combination] as const,
  ),
)

describe('commands', () => {
  it.each(runs)('%s, %s', { timeout: 60_000 }, async (name, _text, spec, combination) => {
    const lists = argsOf(listsFor(name, docs.get(name), payloads))
    const run = { sides, spec, lists, combination, tally: tallies['generated lists'], rowOf }
    expect(await runCommand(run)).toEqual([])
    ran++
  })
})

const sequenceRuns = [...databases, ...keyspace].flatMap((sequence) =>
  PLACES.flatMap((place) => ([2, 3] as const).map((protocol) => [sequence.name, protocol, place, sequence] as const)),
)

describe('sequences', () => {
  it.each(sequenceRuns)('%s, RESP%i, %s', { timeout: 60_000 }, async (_name, protocol, place, sequence) => {
    const run = { sides, sequence, protocol, place, tally: tallies.sequences }
    const problems = await runSequence({ ...run, stepwise: false })
    problems.push(...(await runSequence({ ...run, stepwise: true })).map((problem) => `step by step: ${problem}`))
    expect(problems).toEqual([])
    ran++
  })
})

describe.each(WALKED)('%s', (place) => {
  it('SCAN to its end finds the same keys, whatever the pattern, the count and the type', {
    timeout: 120_000,
  }, async () => {
    const { bare, proxied } = sides.doors(place)
    await Promise.all([bare.reload(), proxied.reload()])
    for (const protocol of [2, 3] as const) {
      const clients = await Promise.all([sides.bare({ protocol, place }), sides.proxied({ protocol, place })])
      const fill: Args = ['MSET', ...MANY.flatMap((name) => [name, 'v'])]
      for (const client of clients) expect(await ask(client, [fill])).toEqual(['+OK\r\n'])
      const conversation = new Conversation(clients[0], clients[1], tallies['SCAN to its end'], rowOf)
      const problems = await conversation.say('scan', SCANS)
      problems.push(
        ...(await conversation.say(
          'keys',
          PATTERNS.map((pattern) => ['KEYS', pattern]),
        )),
      )
      expect(problems).toEqual([])
      for (const client of clients) client.destroy()
    }
    ran++
  })

  it('RANDOMKEY finds every key of the tenant and no other', { timeout: 60_000 }, async () => {
    const { bare, proxied } = sides.doors(place)
    await Promise.all([bare.reload(), proxied.reload()])
    const client = await sides.proxied({ place })
    expect(await ask(client, [['FLUSHDB'], ['RANDOMKEY']])).toEqual(['+OK\r\n', '$-1\r\n'])
    const names = ['', '*', 'one:x', 'five:3:x', '\r\n', 'str', '0', 'nul\0']
    for (const name of names) await ask(client, [['SET', name, 'v']])
    const seen = new Set<string>()
    // Each has a share that makes it all but certain within so many turns.
    for (let turn = 0; turn < 60 && seen.size < names.length; turn++) {
      for (const frame of await ask(client, Array(20).fill(['RANDOMKEY']))) seen.add(decode(frame).text ?? 'null')
    }
    expect([...seen].sort()).toEqual([...names].sort())
    client.destroy()
    ran++
  })
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length + sequenceRuns.length + 2 * WALKED.length || SELF) return
  const texts = Object.entries(tallies).map(([name, tally]) => `  ${name}: ${tally.text()}; ${tally.inexactText()}`)
  console.log(`differential, whole servers: ${specs.length} commands\n${texts.join('\n')}`)
  expectAtLeast(tallies, LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
})

/** Enough that a walk has many pages on both sides. */
const MANY = Array.from({ length: 2000 }, (_, i) => (i % 3 === 0 ? `many:${i}` : i % 3 === 1 ? `s${i}*` : `[${i}]`))

const SCANS: readonly Args[] = [
  ...PATTERNS.map((pattern) => ['SCAN', '0', 'MATCH', pattern, 'COUNT', '1000']),
  ...['*', 's*', '[a-c]*', '\\**', '', 'many:1?', '**'].flatMap((pattern) =>
    ['1', '7', '100', '100000'].map((count) => ['SCAN', '0', 'COUNT', count, 'MATCH', pattern]),
  ),
  ...['string', 'hash', 'STREAM', 'zset', 'nosuch', ''].flatMap((type) => [
    ['SCAN', '0', 'TYPE', type, 'COUNT', '500'],
    ['SCAN', '0', 'MATCH', '*[aeiou]*', 'TYPE', type, 'COUNT', '500'],
  ]),
  ['SCAN', '0'],
  ['scan', '0', 'count', '50'],
  ['SCAN', '0', 'COUNT', '9223372036854775807'],
]
