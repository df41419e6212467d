import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeRequest } from '../../src/resp/request-encoder.ts'
import type { Login } from '../../src/session/session.ts'
import { CLIENT, COMMAND, CONNECTION, LOGIN, type Row, SERVER, words } from '../fixtures/session-commands.ts'
import { encode, shapeOf, show, showArgs, sortedForm } from '../helpers/differential.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../helpers/local-client.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { frameEnd } from '../helpers/reference-scanner.ts'

/*
 * What Keyward answers itself, against a real server, in RESP2 and RESP3, on raw bytes. A row is a pipeline of
 * requests on a connection of its own. The tenant has 16 databases and no password, as the server has.
 */

const acme = tenant('acme', { databases: 16 })
const anyone: Login = { tenant: acme, user: 'default' }
const alice: Login = { tenant: acme, user: 'alice' }
const open = authenticator({ alice: ['secret', alice] }, anyone)
const guarded = authenticator({ alice: ['secret', alice], default: ['pass', anyone] })

/** Answers the same without a login and inside any mode; never a part of a row. */
const SENTINEL = words('HELLO 2 the-end-of-the-row')
const END = "-ERR Syntax error in HELLO option 'the-end-of-the-row'\r\n"

let openServer: RedisServer
let guardedServer: RedisServer
let keyward: FakeServer

beforeAll(async () => {
  const user = 'user alice on >secret ~* &* +@all'
  ;[openServer, guardedServer] = await Promise.all([
    startRedis({ config: [user] }),
    startRedis({ config: [user, 'requirepass pass'] }),
  ])
  keyward = new FakeServer()
  const lastSave = Number((await openServer.info('persistence')).get('rdb_last_save_time'))
  keyward.facts = { ...keyward.facts, redisVersion: openServer.version, lastSave }
})

afterAll(async () => {
  await Promise.all([openServer?.stop(), guardedServer?.stop()])
})

/** Runs a row on both sides. */
async function compare(server: RedisServer, row: Row, protocol: 2 | 3, login: 'open' | 'guarded'): Promise<void> {
  const [requests, how] = row
  const bare = await RawClient.connect({ port: server.port })
  const upstream = await RawClient.connect({ port: server.port })
  try {
    if (login === 'guarded') await upstream.command('AUTH', 'pass')
    const me = new LocalClient(keyward, login === 'open' ? open : guarded, await idOf(bare, login))
    if (protocol === 3) {
      const hello = login === 'open' ? words('HELLO 3') : words('HELLO 3 AUTH default pass')
      await bare.command(...hello)
      me.ask(...hello)
    }
    const quits = requests.some(([name]) => name === 'QUIT')
    bare.send([...requests, ...(quits ? [] : [SENTINEL])].map(encode).join(''))
    const want = (quits ? await bare.closed() : await bare.receive(END)).toString('latin1')
    let got = ''
    for (const each of quits ? requests : [...requests, SENTINEL]) {
      if (me.closed) break
      got += await answer(me, upstream, each)
    }
    if (how === 'exact') expect(show(got, 2000)).toBe(show(want, 2000))
    else {
      const form = how === 'sorted' ? sortedForm : shapeOf
      expect(form(firstFrame(got))).toBe(form(firstFrame(want)))
    }
  } finally {
    keyward.everybody.length = 0
    bare.destroy()
    upstream.destroy()
  }
}

/** The id that the real server gave, for a client of ours to have the same: ids are in replies. */
async function idOf(bare: RawClient, login: 'open' | 'guarded'): Promise<number> {
  if (login === 'open') return Number((await bare.command('CLIENT', 'ID')).slice(1))
  await bare.command('AUTH', 'pass')
  const id = Number((await bare.command('CLIENT', 'ID')).slice(1))
  await bare.command('RESET')
  return id
}

/** Ours; what is forwarded goes to the server on a connection of the same protocol. */
async function answer(me: LocalClient, upstream: RawClient, words: readonly string[]): Promise<string> {
  const result = me.run(...words)
  if (typeof result === 'string') return result
  await upstream.command('HELLO', me.session.protocol)
  const [reply] = await upstream.exchange(encodeRequest(result))
  return reply.toString('latin1')
}

const firstFrame = (bytes: string) => bytes.slice(0, frameEnd(Buffer.from(bytes, 'latin1')))

const SETS = { connection: CONNECTION, client: CLIENT, server: SERVER, command: COMMAND }

for (const protocol of [2, 3] as const) {
  describe(`byte by byte as a real server, RESP${protocol}`, () => {
    for (const [name, rows] of Object.entries(SETS)) {
      describe(name, () => {
        for (const row of rows) test(titleOf(row), () => compare(openServer, row, protocol, 'open'))
      })
    }
    describe('where a password is needed', () => {
      for (const row of LOGIN) test(titleOf(row), () => compare(guardedServer, row, protocol, 'guarded'))
    })
  })
}

function titleOf([requests, how, reason]: Row): string {
  return `${requests.map(showArgs).join(' ; ')}${how === 'exact' ? '' : ` (${how}: ${reason})`}`
}

test('nearly all rows are exact', () => {
  const rows = [...Object.values(SETS).flat(), ...LOGIN]
  const count = (how: string) => rows.filter((row) => row[1] === how).length
  console.log(`session commands: ${count('exact')} rows exact, ${count('sorted')} sorted, ${count('shape')} shape`)
  expect(rows.filter(([, how, reason]) => how !== 'exact' && reason === undefined)).toEqual([])
  expect(count('exact')).toBeGreaterThanOrEqual(200)
})

describe('answers whose size is our own', () => {
  const me = () => new LocalClient(keyward, open, 1)
  const bare = async (...words: string[]) => {
    const client = await RawClient.connect({ port: openServer.port })
    client.send(request(...words))
    const reply = (await client.reply()).toString('latin1')
    client.destroy()
    return reply
  }

  test('HELP says of each open subcommand what Redis says, and nothing of the others', async () => {
    for (const name of ['CLIENT', 'CONFIG']) {
      const theirs = (await bare(name, 'HELP')).split('\r\n')
      // Of Redis 7.2.
      const later = ['+SETINFO', '+    Set client meta', '+    * LIB-', '+NO-TOUCH', '+    Will not touch']
      const ours = me().ask(name, 'HELP').split('\r\n').slice(1)
      expect(ours.filter((line) => !theirs.includes(line) && !later.some((start) => line.startsWith(start)))).toEqual(
        [],
      )
    }
  })

  test('INFO has fields that Redis has, in its order', async () => {
    const names = (text: string) => [...text.matchAll(/^(# \w+|\w+(?=:))/gm)].map(([name]) => name)
    const theirs = names(await bare('INFO', 'everything'))
    const ours = names(me().ask('INFO', 'everything')).filter((name) => !name.startsWith('keyward_'))
    // What the server counted so far is its own.
    const expected = theirs.filter((name) => ours.includes(name))
    expect(ours).toEqual(expected)
  })

  test('CLIENT INFO has the fields of Redis in its order, then those of 7.2', async () => {
    const names = (text: string) => [...text.matchAll(/([\w-]+)=/g)].map(([, name]) => name)
    expect(names(me().ask('CLIENT', 'INFO'))).toEqual([...names(await bare('CLIENT', 'INFO')), 'lib-name', 'lib-ver'])
  })

  test('COMMAND and COMMAND DOCS describe what COMMAND COUNT counts', async () => {
    const count = Number(me().ask('COMMAND', 'COUNT').slice(1))
    const described = await bare(...(me().run('COMMAND') as Buffer[]).map(String))
    expect(described.slice(0, described.indexOf('\r\n'))).toBe(`*${count}`)
    const documented = await bare(...(me().run('COMMAND', 'DOCS') as Buffer[]).map(String))
    // DOCS leaves out what the server does not have.
    const missing = described.split('\r\n').filter((line) => line === '$-1').length
    expect(documented.slice(0, documented.indexOf('\r\n'))).toBe(`*${2 * (count - missing)}`)
    for (const closed of ['shutdown', 'debug', 'replicaof']) expect(described).not.toContain(`\r\n${closed}\r\n`)
  })
})
