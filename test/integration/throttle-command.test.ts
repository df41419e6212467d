import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { decode } from '../helpers/differential.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * COMMAND shows Keyward's own commands among the server's, in the server's form, to the tenants that have them: acme, and
 * alone, which has no prefix. To plain it shows what the server shows.
 */
let redis: RedisServer
let own: RedisServer
let keyward: Keyward
let bare: RawClient
let clients: RawClient[] = []

beforeAll(async () => {
  ;[redis, own] = await Promise.all([startRedis(), startRedis()])
  const tenant = (password: string, more: object = {}) => ({
    upstream: 'main',
    users: { default: { password } },
    ...more,
  })
  const extensions = ['throttle']
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url }, own: { url: own.url } },
      tenants: {
        // Without scripts its transactions are not closed to COMMAND.
        acme: tenant('acme', { extensions, scripts: 'deny' }),
        plain: tenant('plain', { scripts: 'deny' }),
        alone: tenant('alone', { upstream: 'own', prefix: '', extensions }),
      },
    }),
  )
  bare = await RawClient.connect({ port: redis.port })
}, 60_000)

afterEach(() => {
  for (const client of clients) client.destroy()
  clients = []
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await Promise.all([redis, own].map((server) => server?.stop()))
})

async function connect(password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  clients.push(client)
  return client
}

/** Lines of words, sent in one write; the replies. */
async function all(client: RawClient, ...lines: string[]): Promise<string[]> {
  const bytes = Buffer.concat(lines.map((line) => request(...line.split(' '))))
  return (await client.exchange(bytes, lines.length)).map((reply) => reply.toString('latin1'))
}

/** As nested arrays, sets and maps as arrays. */
type Plain = string | null | readonly Plain[]
const plain = (value: ReturnType<typeof decode>): Plain => value.items?.map(plain) ?? value.text ?? null
const ask = async (client: RawClient, ...words: string[]) => plain(decode(await client.command(...words)))
const names = (list: Plain) => (list as Plain[]).map((each) => (each as Plain[] | null)?.[0] ?? null)

test.each(['2', '3'])('describes them as the server does its own, in RESP%s', async (protocol) => {
  const client = await connect()
  await client.command('HELLO', protocol)
  await bare.command('HELLO', protocol)
  const info = decode(await client.command('COMMAND', 'INFO', 'CL.THROTTLE', 'get', 'nope', 'cl.status'))
  const theirs = decode(await bare.command('COMMAND', 'INFO', 'get')).items?.[0]
  const types = (value: ReturnType<typeof decode> | undefined): unknown => value?.items?.map(types) ?? value?.type
  const [throttle, get, nope, status] = info.items ?? []
  expect([names(plain(info) as Plain[])]).toEqual([['cl.throttle', 'get', null, 'cl.status']])
  expect(nope.items).toBeUndefined()
  expect(get).toEqual(theirs)
  // Flags and categories are as many as a command has; everything else has one form.
  const withoutLists = (value: unknown) => (value as unknown[]).filter((_, i) => i !== 2 && i !== 6)
  expect(withoutLists(types(status))).toEqual(withoutLists(types(theirs)))
  expect([status.items?.[2].type, status.items?.[6].type]).toEqual([theirs?.items?.[2].type, theirs?.items?.[6].type])
  expect((plain(throttle) as Plain[]).slice(0, 8)).toEqual([
    'cl.throttle',
    '-1',
    ['denyoom', 'write'],
    '1',
    '1',
    '1',
    ['@slow', '@write'],
    [],
  ])
})

test('in the list of all, where they are', async () => {
  const [client, plainClient] = [await connect(), await connect('plain')]
  const [with_, without] = [await ask(client, 'COMMAND'), await ask(plainClient, 'COMMAND')] as [Plain[], Plain[]]
  expect(names(with_).slice(-2)).toEqual(['cl.throttle', 'cl.status'])
  expect(with_.slice(0, -2)).toEqual(without)
  expect(await client.command('COMMAND', 'COUNT')).toBe(`:${with_.length}\r\n`)
  expect(await plainClient.command('COMMAND', 'COUNT')).toBe(`:${without.length}\r\n`)
  const lines = ['HELLO 2', 'COMMAND INFO cl.throttle', 'COMMAND DOCS cl.throttle']
  expect((await all(plainClient, ...lines)).slice(1)).toEqual((await all(bare, ...lines)).slice(1))
  expect(await ask(plainClient, 'COMMAND', 'GETKEYS', 'CL.THROTTLE', 'k')).toMatch(/^ERR Invalid command/)
  expect(await ask(client, 'COMMAND', 'GETKEYS', 'CL.THROTTLE', 'k', '1', '1', '1')).toEqual(['k'])
})

test('DOCS', async () => {
  const client = await connect()
  const [name, docs] = (await ask(client, 'COMMAND', 'DOCS', 'nope', 'cl.status')) as [string, Plain[]]
  expect(name).toBe('cl.status')
  expect(docs[docs.indexOf('arguments') + 1]).toHaveLength(4)
  const whole = (await ask(client, 'COMMAND', 'DOCS')) as Plain[]
  expect(whole).toEqual(expect.arrayContaining(['get', 'cl.status', 'cl.throttle']))
  await client.command('HELLO', '3')
  const map = decode(await client.command('COMMAND', 'DOCS', 'get', 'cl.throttle'))
  expect([map.type, map.items?.length]).toEqual(['%', 4])
})

test('in a transaction', async () => {
  const client = await connect()
  const replies = await all(client, 'MULTI', 'COMMAND INFO cl.throttle get', 'COMMAND DOCS cl.status', 'PING', 'EXEC')
  expect(replies.slice(0, 4)).toEqual(['+OK\r\n', '+QUEUED\r\n', '+QUEUED\r\n', '+QUEUED\r\n'])
  const [info, docs, pong] = plain(decode(replies[4])) as Plain[]
  expect(names(info as Plain[])).toEqual(['cl.throttle', 'get'])
  expect((docs as Plain[])[0]).toBe('cl.status')
  expect(pong).toBe('PONG')
})

test('a tenant without a prefix', async () => {
  const client = await connect('alone')
  expect(names(await ask(client, 'COMMAND', 'INFO', 'eval', 'cl.throttle'))).toEqual(['eval', 'cl.throttle'])
})
