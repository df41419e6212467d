import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import { buildTable } from '../../src/commands/table.ts'
import { ask, decode } from '../helpers/differential.ts'
import { NEEDS, newer } from './cases/newer.ts'
import type { Sequence } from './cases/sequence.ts'
import { combinationsFor } from './combinations.ts'
import { argsOf, runCommand } from './command-run.ts'
import { type CommandDoc, readDocs } from './grammar.ts'
import { listsFor } from './lists.ts'
import { rowBeside } from './modes.ts'
import { runSequence } from './sequence-run.ts'
import { openSides, type Sides } from './sides.ts'
import { Tally } from './tally.ts'

/** Commands that only newer servers have, on each such server that can be had here: as commands.test.ts and sequences.test.ts. */

const table = buildTable()
/** A module that Redis brings along. */
const VECTOR = /^v[a-z]+$/
const specs = table
  .all()
  .filter(({ open, presence, name }) => open === 'tenant' && (presence === 'newer' || VECTOR.test(name)))
/** Run one by one, from what the server documents; vector sets document nothing, and WAITAOF waits. */
const documented = specs.filter(({ route, name }) => route === 'shared' && !VECTOR.test(name))

const servers = (await findServers({ log: console.log })).filter(({ kind, version }) => {
  const major = Number.parseInt(version, 10)
  return kind === 'redis' ? major >= 8 : major >= 9
})

/** Replies compared byte by byte on each server; may only grow. */
const LEAST_EXACT = 4_800

describe.skipIf(servers.length === 0).each(servers)('$kind $version', (server: Server) => {
  const tally = new Tally()
  let sides: Sides
  let docs: Map<string, CommandDoc>
  let offered: ReadonlySet<string>

  beforeAll(async () => {
    sides = await openSides(server)
    const client = await sides.bare()
    docs = readDocs((await ask(client, [['COMMAND', 'DOCS']]))[0])
    const [list] = await ask(client, [['COMMAND', 'LIST']])
    offered = new Set((decode(list).items ?? []).map(({ text }) => text?.toLowerCase() ?? ''))
    client.destroy()
  }, 120_000)

  afterAll(() => sides?.stop())

  it.each(documented.map((spec) => [spec.name, spec] as const))('%s', { timeout: 120_000 }, async (name, spec) => {
    if (!offered.has(name)) {
      const client = await sides.proxied()
      const [reply] = await ask(client, [[name, ...Array(Math.abs(spec.arity) - 1).fill('x')]])
      client.destroy()
      // In the words of the server, which knows nothing of a prefix.
      expect(reply).toMatch(new RegExp(`^-ERR unknown command '${name}', with args beginning with: 'x' `))
      return
    }
    const lists = argsOf(listsFor(name, docs.get(name), ['payload']))
    for (const combination of combinationsFor(name))
      expect(await runCommand({ sides, spec, lists, combination, tally, rowOf: rowBeside })).toEqual([])
  })

  it.each(newer.map((sequence) => [sequence.name, sequence] as const))(
    '%s',
    { timeout: 60_000 },
    async (_, sequence) => {
      if (!needed(sequence).every((name) => offered.has(name))) return
      for (const protocol of [2, 3] as const)
        for (const place of ['plain', 'db3'] as const)
          for (const stepwise of [false, true])
            expect(await runSequence({ sides, sequence, protocol, place, stepwise, tally })).toEqual([])
    },
  )

  it('compared as many replies byte by byte as it did before, and made Keyward warn of nothing', () => {
    console.log(`differential, ${server.kind} ${server.version}: ${tally.text()}`)
    expect(tally.counts.exact).toBeGreaterThan(LEAST_EXACT)
    expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
  })
})

it('every command is in a sequence or has lists', () => {
  const tried = new Set(newer.flatMap(({ steps }) => steps.map((step) => String(step).split(' ')[0].toLowerCase())))
  const left = specs.filter((spec) => !documented.includes(spec) && !tried.has(spec.name) && spec.route === 'shared')
  expect(left.map(({ name }) => name)).toEqual([])
})

/** The newer commands that it holds. */
function needed({ name, steps }: Sequence): readonly string[] {
  const words = steps.map((step) => String(step).split(' ')[0].toLowerCase())
  return [...(NEEDS[name] ?? []), ...words.filter((word) => specs.some(({ name }) => name === word))]
}
