import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Whether the server has a script is known, whatever others run meanwhile and whatever the script itself says. */
let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient
let bare: RawClient
let operator: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
  bare = await RawClient.connect({ port: redis.port })
  operator = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  for (const client of [acme, beta, bare, operator]) client?.destroy()
  keyward?.stop()
  await redis?.stop()
})

type Args = readonly (string | number)[]
const pipe = async (client: RawClient, ...requests: Args[]) => {
  client.send(Buffer.concat(requests.map((args) => request(...args))))
  return (await client.replies(requests.length)).map(String)
}
const shaOf = (text: string) => createHash('sha1').update(text).digest('hex')

/** More than the 500 scripts of EVAL that Redis 7.4 and later keep, each new. */
let nth = 0
async function crowd(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await pipe(beta, ...Array.from({ length: 100 }, (): Args => ['EVAL', `return ${nth++}`, 0]))
  }
}

test('scripts in pipelines run, however many others run scripts that servers drop others for', async () => {
  const often = "return redis.call('INCR','often')"
  const loaded = "return redis.call('INCR','loaded')"
  // The texts of all tenants are the same to the server.
  for (const text of [often, loaded]) await beta.command('EVAL', text, 0)
  for (let i = 1; i <= 4; i++) expect(await acme.command('EVAL', often, 0)).toBe(`:${i}\r\n`)
  await acme.command('SCRIPT', 'LOAD', loaded)
  expect(await acme.command('EVALSHA', shaOf(loaded), 0)).toBe(':1\r\n')
  await crowd()
  const silent = [
    ['CLIENT', 'REPLY', 'OFF'],
    ['EVAL', often, 0],
    ['CLIENT', 'REPLY', 'ON'],
    ['GET', 'often'],
  ]
  acme.send(Buffer.concat(silent.map((args) => request(...args))))
  expect((await acme.replies(2)).map(String)).toEqual(['+OK\r\n', '$1\r\n5\r\n'])
  const requests: Args[] = [
    ['EVAL', often, 0],
    ['GET', 'often'],
    ['EVALSHA', shaOf(loaded), 0],
    ['GET', 'loaded'],
  ]
  expect(await pipe(acme, ...requests)).toEqual([':6\r\n', '$1\r\n6\r\n', ':2\r\n', '$1\r\n2\r\n'])
  const multi: Args[] = [['MULTI'], ['EVALSHA', shaOf(loaded), 0], ['EVALSHA', shaOf(loaded), 0], ['EXEC']]
  expect((await pipe(acme, ...multi)).at(-1)).toBe('*2\r\n:3\r\n:4\r\n')
})

const WORDS = 'NOSCRIPT No matching script. Please use EVAL.'
const WAYS: [string, string, string[]][] = [
  ['in its text', `redis.call('INCR', KEYS[1]) return redis.error_reply('${WORDS}')`, []],
  ['in its arguments', "redis.call('INCR', KEYS[1]) return {err = ARGV[1]}", [WORDS]],
]

test.each(WAYS)(
  'a script that says NOSCRIPT itself was executed, and once, and is told so: %s',
  async (_, text, args) => {
    const own = [] as string[]
    for (const [client, key] of [
      [acme, 'said'],
      [bare, 'bare'],
    ] as const) {
      const run: Args = ['EVAL', text, 1, key, ...args]
      const replies = await pipe(client, run, ['GET', key])
      for (let i = 0; i < 5; i++) replies.push(await client.command(...run))
      replies.push(...(await pipe(client, run, ['GET', key], ['EVALSHA', shaOf(text), 1, key, ...args], ['GET', key])))
      own.push(JSON.stringify(replies))
      await client.command('DEL', key)
    }
    expect(own[0]).toBe(own[1])
  },
)

test.each(WAYS)('… also while the operator empties the cache of scripts: %s', async (_, text, args) => {
  const runs = 150
  let done = false
  const emptying = (async () => {
    while (!done) await operator.command('SCRIPT', 'FLUSH')
  })()
  try {
    for (let i = 0; i < runs; i++) {
      expect(await acme.command('EVAL', text, 1, 'once', ...args)).toMatch(/^-NOSCRIPT /)
    }
  } finally {
    done = true
    await emptying
  }
  expect(await acme.command('GET', 'once')).toBe(`$3\r\n${runs}\r\n`)
  await acme.command('DEL', 'once')
})
