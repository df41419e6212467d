import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import { parseCommandFilter } from '../../src/commands/command-filter.ts'
import { type CommandSpec, FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Rules on commands mean what they mean to ACL SETUSER, on every server that can be had here. */
const table = buildTable()
const servers = (await findServers()).filter((server) => Number.parseInt(server.version, 10) >= 7)

const names = table.all().map((spec) => spec.name)

interface Known {
  readonly spec: CommandSpec
  /** The words of a request with enough arguments. */
  readonly words: readonly string[]
}

describe.each(servers)('$kind $version', (server: Server) => {
  let redis: RedisServer
  let client: Redis
  /** Commands that this server has in the categories that the table has them in, and that it asks anybody's leave for. */
  let known: readonly Known[]
  /** All names that this server takes in a rule. */
  let here: ReadonlySet<string>
  /** Those of modules are not among them. */
  let categories: readonly string[]

  beforeAll(async () => {
    redis = await startRedis({ redis: server })
    client = new Redis(redis.port)
    const rows = (await client.call('COMMAND')) as Row[]
    known = knownOf(rows)
    categories = (await client.call('ACL', 'CAT')) as string[]
    here = new Set(rows.flatMap((row) => [row[0], ...row[9].map((sub) => sub[0])]))
  }, 60_000)

  afterAll(async () => {
    client?.disconnect()
    await redis?.stop()
  })

  test('has nearly all commands of the table', () => expect(known.length).toBeGreaterThan(250))

  test('lets the same commands through', async () => {
    const word = fc.oneof(
      fc.tuple(fc.constantFrom('+@', '-@'), fc.constantFrom('all', ...categories)),
      fc.tuple(fc.constantFrom('+', '-'), fc.constantFrom(...names.filter((name) => here.has(name)))),
      fc.constantFrom(['allcommands'], ['nocommands']),
    )
    const rules = fc.array(
      word.map((parts) => parts.join('')),
      { minLength: 1, maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(rules, async (words) => {
        const reading = parseCommandFilter(words.join(' '), table)
        if (!('value' in reading)) throw new Error(reading.message)
        // Redis always starts from nothing.
        const start = /^-|^nocommands/.test(words[0]) ? ['+@all'] : []
        await client.call('ACL', 'SETUSER', 'u', 'reset', 'on', '~*', '&*', ...start, ...words)
        const theirs = await Promise.all(known.map((each) => allowed(client, each.words)))
        const differs = known.filter(({ spec }, i) => (reading.value[spec.index] === 1) !== theirs[i])
        expect(differs.map(({ spec }) => spec.name)).toEqual([])
      }),
      { ...fuzz('rules on commands', 0.01, 200), examples: [[['-get']], [['+@slow', '-@slow']], [['+xgroup']]] },
    )
  }, 120_000)
})

type Row = [string, number, string[], number, number, number, string[], string[], unknown[], Row[]]

function knownOf(rows: readonly Row[]): readonly Known[] {
  return rows.flatMap(([name, arity, , , , , own, , , subcommands]) => {
    const spec = table.byName(name)
    // Of a container, only its subcommands can be run.
    if (subcommands.length > 0) return knownOf(subcommands)
    if (spec === undefined || (spec.flags & FLAG.NO_AUTH) !== 0) return []
    const same = own.map((category) => category.slice(1)).sort()
    if (same.join() !== [...spec.categories].sort().join()) return []
    const words = name.split('|')
    while (words.length < Math.abs(arity)) words.push('1')
    return [{ spec, words }]
  })
}

async function allowed(client: Redis, words: readonly string[]): Promise<boolean> {
  const reply = await client.call('ACL', 'DRYRUN', 'u', ...words)
  if (reply === 'OK') return true
  expect(reply).toMatch(/has no permissions to run the '.*' command/)
  return false
}
