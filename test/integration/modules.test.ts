import { afterEach, expect, test } from 'vitest'
import { type CommandRow, commandReply, MODULE_COMMANDS } from '../fixtures/command-replies.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'

/*
 * Commands of modules. No module can be had here, so the upstream is a server that answers COMMAND as one with modules would, and
 * `+OK` to what tenants say: what arrives there is looked at. Not tried on a real module.
 */

let server: ScriptedServer
let keyward: Keyward
const clients: RawClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  await server?.stop()
})

/** `commands`: undefined: the upstream's user may not ask. */
async function start(commands: () => readonly CommandRow[] | undefined, runId = () => 'one'): Promise<RawClient> {
  server = await ScriptedServer.start((args, socket) => {
    if (args[0] === 'COMMAND') {
      const rows = commands()
      return rows === undefined ? "-NOPERM this user has no permissions to run the 'command' command\r\n" : sayAll(rows)
    }
    if (args[0] !== 'INFO') return undefined
    const text = `redis_version:8.0.2\r\nrun_id:${runId()}\r\nrole:master\r\nloading:0\r\n`
    return `$${text.length}\r\n${text}\r\n`
    function sayAll(rows: readonly CommandRow[]): string {
      // In pieces, as a long reply comes.
      const reply = commandReply(rows, 2).toString('latin1')
      socket.write(reply.slice(0, 100), 'latin1')
      return reply.slice(100)
    }
  })
  keyward = await startKeyward(configFor(server, {}, { walls: 'off' }))
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  // Its commands are known from its first connection on.
  expect(await eventually(async () => (await client.command('PING')) === '+PONG\r\n' && usable())).toBe(true)
  return client
}

const usable = () => keyward.log.some(({ msg }) => msg === 'upstream is usable')

/** What arrived of a request, in words; or the reply, where Keyward refused. */
async function sent(client: RawClient, ...args: string[]): Promise<string> {
  const before = server.requests.length
  const reply = await client.command(...args)
  if (reply.startsWith('-')) return reply
  const found = server.requests.slice(before).find(([name]) => name.toUpperCase() === args[0].toUpperCase())
  return found?.join(' ') ?? `nothing: ${reply}`
}

test('a command goes with the prefix in front of the keys that were reviewed', async () => {
  const client = await start(() => MODULE_COMMANDS)
  expect(await sent(client, 'JSON.SET', 'doc', '$', '{"key":"doc"}')).toBe('JSON.SET acme:doc $ {"key":"doc"}')
  expect(await sent(client, 'json.get', 'doc', 'doc')).toBe('json.get acme:doc doc')
  expect(await sent(client, 'JSON.MSET', 'a', 'a', '1', 'b', '$', 'b')).toBe('JSON.MSET acme:a a 1 acme:b $ b')
  expect(await sent(client, 'BF.ADD', 'f', 'f')).toBe('BF.ADD acme:f f')
  expect(await sent(client, 'TDIGEST.MERGE', 'd', '2', 'a', 'b', 'COMPRESSION', '5')).toBe(
    'TDIGEST.MERGE acme:d 2 acme:a acme:b COMPRESSION 5',
  )
  // A count that the module may read in another way: nothing passes for what is no key.
  expect(await sent(client, 'TDIGEST.MERGE', 'd', '9', 'a', 'b')).toBe('TDIGEST.MERGE acme:d 9 acme:a acme:b')
  expect(await sent(client, 'TS.CREATERULE', 'a', 'b', 'AGGREGATION', 'avg', '10')).toBe(
    'TS.CREATERULE acme:a acme:b AGGREGATION avg 10',
  )
  expect(await sent(client, 'TS.MADD', 'a', '1', '2', 'b', '3', '4')).toBe('TS.MADD acme:a 1 2 acme:b 3 4')
})

test('what tells less than the truth, sees keys by itself, or is not there, is an unknown command', async () => {
  const client = await start(() => MODULE_COMMANDS)
  for (const words of [
    'JSON.MGET a b $',
    'CMS.MERGE d 2 a b',
    'JSON.DEL doc',
    'TS.MRANGE - + FILTER a=b',
    'TS.MGET FILTER a=b',
    'TS.QUERYINDEX a=b',
    'TS.INFO a',
    'FT.SEARCH i *',
    'FT.CREATE i SCHEMA f TEXT',
    'BF.LOADCHUNK f 1 x',
  ]) {
    const args = words.split(' ')
    const echo = args.slice(1).map((arg) => `'${arg}' `)
    expect(await sent(client, ...args)).toBe(
      `-ERR unknown command '${args[0]}', with args beginning with: ${echo.join('')}\r\n`,
    )
  }
  expect(keyward.log.find(({ command }) => command === 'json.mget')).toMatchObject({
    reason: expect.stringContaining('not with its keys where they were reviewed'),
  })
})

test('COMMAND tells of those that are open', async () => {
  const client = await start(() => MODULE_COMMANDS)
  const names = await client.command('COMMAND', 'LIST')
  expect(names).toContain('\r\njson.get\r\n')
  expect(names).not.toContain('\r\njson.mget\r\n')
  expect(await sent(client, 'COMMAND', 'INFO', 'json.get', 'json.mget')).toMatch(/ json\.get keyward-none$/)
})

test('where the upstream’s user may not ask for COMMAND, all of them are closed, and the log tells the cure', async () => {
  const client = await start(() => undefined)
  expect(await sent(client, 'JSON.GET', 'doc')).toMatch(/^-ERR unknown command/)
  // Those of newer servers are sent: where their keys are is known.
  expect(await sent(client, 'HTTL', 'h', 'FIELDS', '1', 'f')).toBe('HTTL acme:h FIELDS 1 f')
  expect(keyward.log.filter(({ msg }) => msg.includes('allow it with ACL SETUSER … +command'))).toHaveLength(1)
})

test('another server is asked anew', async () => {
  let commands: readonly CommandRow[] = []
  let runId = 'one'
  let asked = 0
  const client = await start(
    () => {
      asked++
      return commands
    },
    () => runId,
  )
  expect(await sent(client, 'JSON.GET', 'doc')).toMatch(/^-ERR unknown command/)
  expect(await sent(client, 'HTTL', 'h', 'FIELDS', '1', 'f')).toMatch(/^-ERR unknown command/)
  // Both protocols have their connection by now.
  const other = await keyward.connect({ password: 'acme' })
  clients.push(other)
  await other.command('HELLO', '3')
  expect(await eventually(async () => (await other.command('GET', 'k')) === '+OK\r\n')).toBe(true)
  commands = MODULE_COMMANDS
  const before = asked
  // The same server is not asked again.
  server.dropAll()
  expect(await eventually(async () => (await client.command('GET', 'k')) === '+OK\r\n')).toBe(true)
  expect(asked).toBe(before)
  expect(await sent(client, 'JSON.GET', 'doc')).toMatch(/^-ERR unknown command/)
  runId = 'two'
  server.dropAll()
  expect(await eventually(async () => (await sent(client, 'JSON.GET', 'doc')) === 'JSON.GET acme:doc')).toBe(true)
})
