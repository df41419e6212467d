import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Scripts that take the server, or the connection that others share, down with them, where nothing keeps them from it. */

let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, {}, { lanes: 1 }))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
  await beta.command('SET', 'a', '1')
})

afterEach(async () => {
  // Whatever became of it: the next one finds a server.
  if (!(await alive())) await redis.restart()
  expect(await eventually(async () => (await beta.command('SET', 'a', '1')) === '+OK\r\n')).toBe(true)
})

afterAll(async () => {
  acme?.destroy()
  beta?.destroy()
  keyward?.stop()
  await redis?.stop()
})

const alive = () =>
  redis.cli('PING').then(
    (reply) => reply === 'PONG',
    () => false,
  )

describe('errors that are tables', () => {
  const FATAL = [
    // Redis before 8.6, and Valkey before 9, read the text of an error that has none.
    'error({})',
    "error({ok = 'fine'})",
    'error({err = {}})',
    'local ok, e = pcall(error, {}) error(e)',
    'coroutine.wrap(function() error({}) end)()',
    "loadstring('error({})')()",
    '_G.error({})',
    // All versions of today call what the table says, where nothing catches its errors.
    "error(setmetatable({}, {__index = function() error('x') end}))",
    "error(setmetatable({err = 'x'}, {__index = setmetatable({}, {__index = function() error('x') end})}))",
  ]

  it.each(FATAL)('%s', async (lua) => {
    expect(await acme.command('EVAL', lua, 0)).toMatch(/^-/)
    expect(await alive()).toBe(true)
    expect(await beta.command('GET', 'a')).toBe('$1\r\n1\r\n')
    // It was Redis that answered.
    expect(await acme.command('EVAL', lua, 0)).not.toMatch(/^-(OUTCOMEUNKNOWN|UPSTREAM)/)
  })

  const HARMLESS = [
    "error(setmetatable({err = 'x'}, {__index = function() return redis.call('GET', 'a') end}))",
    "error({err = 'x'})",
    "error('x')",
    'error(5)',
    'return {pcall(error, {1, 2})}',
    'local ok, e = pcall(error, {code = 7}) return e.code',
  ]

  it.each(HARMLESS)('%s', async (lua) => {
    expect(await acme.command('EVAL', lua, 0)).toMatch(/^[-*:]/)
    expect(await alive()).toBe(true)
  })
})

describe('replies', () => {
  // Redis itself stops at some 8,000 levels.
  it('deeper than anybody reads do no harm to others', async () => {
    const deep = request('EVAL', 'local t = {} for i = 1, 500 do t = {t} end return t', 0)
    for (let i = 0; i < 20; i++) {
      acme.send(deep)
      const replies = await beta.exchange(Buffer.concat(Array.from({ length: 50 }, () => request('SET', 'a', '1'))), 50)
      expect(replies.map(String).filter((reply) => reply !== '+OK\r\n')).toEqual([])
    }
  })

  const DEEP = 'local t = {} for i = 1, 10000 do t = {t} end return t'

  it('come as deep as Redis sends them', async () => {
    const client = await keyward.connect({ password: 'acme' })
    client.send(Buffer.concat([request('EVAL', DEEP, 0), request('PING')]))
    const received = await client.receive('+PONG\r\n')
    expect(received.toString()).toBe(`${'*1\r\n'.repeat(7995)}-ERR reached lua stack limit\r\n+PONG\r\n`)
    client.destroy()
  })

  it('in a transaction, too, and the connection stays', async () => {
    const client = await keyward.connect({ password: 'acme' })
    const connections = async () => (await redis.info('stats')).get('total_connections_received')
    let before: string | undefined
    for (let i = 0; i < 3; i++) {
      if (i === 1) before = await connections()
      await client.command('MULTI')
      await client.command('INCR', 'n')
      await client.command('EVAL', DEEP, 0)
      client.send(Buffer.concat([request('EXEC'), request('PING')]))
      const deep = `${'*1\r\n'.repeat(7995)}-ERR reached lua stack limit\r\n`
      expect((await client.receive('+PONG\r\n')).toString()).toBe(`*2\r\n:${i + 1}\r\n${deep}+PONG\r\n`)
    }
    expect(Number(await connections()) - Number(before)).toBeLessThanOrEqual(1)
    client.destroy()
  })
})
