import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXCEPTIONS } from '../../src/commands/reviewed.ts'
import { buildTable } from '../../src/commands/table.ts'
import { ERRORS } from '../../src/errors.ts'
import { commandsDocument } from '../helpers/commands-document.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What is refused, to whom, and in MULTI, is what docs/commands.md says: each command is sent, and its reply looked at. */
const document = commandsDocument()
const table = buildTable()
const commands = table.all().filter(({ subcommands, name }) => subcommands === undefined || name === 'command')

let redis: RedisServer
let own: RedisServer
let keyward: Keyward
let bare: RawClient

beforeAll(async () => {
  ;[redis, own] = await Promise.all([startRedis(), startRedis()])
  const users = (password: string) => ({ users: { default: { password } } })
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url }, own: { url: own.url } },
      tenants: {
        plain: { upstream: 'main', ...users('plain') },
        five: { upstream: 'main', databases: 5, functions: 'trusted', ...users('five') },
        trusted: { upstream: 'main', functions: 'trusted', ...users('trusted') },
        alone: { upstream: 'own', prefix: '', ...users('alone') },
      },
    }),
  )
  bare = await RawClient.connect({ port: redis.port })
}, 60_000)

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await Promise.all([redis, own].map((server) => server?.stop()))
})

/** As few arguments as it takes, which make sense to hardly any command. */
function wordsOf(name: string): string[] {
  const words = name.split('|')
  const { arity } = table.byName(name) ?? { arity: 0 }
  return [...words, ...Array(Math.max(Math.abs(arity) - words.length, 0)).fill('x')]
}

/** The commands to which `reply` says yes, each sent on a connection of its own. */
async function those(
  tenant: string,
  inMulti: boolean,
  names: readonly string[],
  yes: (reply: string) => boolean,
): Promise<string[]> {
  const found = new Set<string>()
  const left = [...names]
  const some = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const client = await keyward.connect({ password: tenant })
      if (inMulti) await client.command('MULTI')
      const [reply] = await client.exchange(request(...wordsOf(name)))
      if (yes(reply.toString('latin1'))) found.add(name)
      client.destroy()
    }
  }
  await Promise.all(Array.from({ length: 10 }, some))
  return names.filter((name) => found.has(name))
}

const unknown = (reply: string) => /^-ERR unknown (sub)?command/.test(reply)

/** Commands that the upstream itself does not have. */
async function missing(names: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of names) if (!/^\*1\r\n\*\d/.test(await bare.command('COMMAND', 'INFO', name))) found.push(name)
  return found
}

/** Open where the tenant is trusted with them. */
const functions = document.scripts.filter((name) => /^(fcall|function)/.test(name))

test.each([
  ['plain', [...document.refused, ...document.passthrough, ...functions]],
  ['trusted', [...document.refused, ...document.passthrough]],
  ['alone', document.refused],
])('to the tenant %s', { timeout: 60_000 }, async (tenant, documented) => {
  const names = commands.map(({ name }) => name)
  const refused = await those(tenant, false, names, unknown)
  const open = refused.filter((name) => !documented.includes(name) && !EXCEPTIONS.has(name))
  // What is open, but newer than the upstream.
  expect(open).toEqual(await missing(open))
  expect(documented.filter((name) => names.includes(name) && !refused.includes(name))).toEqual([])
})

test.each(['trusted', 'five'])('to the tenant %s in MULTI', { timeout: 60_000 }, async (tenant) => {
  const open = [...document.open, ...document.scripts]
  // From now on its transactions may have scripts in them.
  const client = await keyward.connect({ password: tenant })
  expect(await client.command('EVAL', 'return 1', 0)).toBe(':1\r\n')
  client.destroy()
  const refused = await those(tenant, true, open, (reply) => reply === `-${ERRORS.NOTINMULTI.reply}\r\n`)
  const gone = new Set(await missing(document.notInMulti))
  expect(refused.toSorted()).toEqual(document.notInMulti.filter((name) => !gone.has(name)).toSorted())
})
