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

  it.fails.each(FATAL)('%s', async (lua) => {
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
  // Redis itself stops at some 8,000 levels; a reply of more than 128 costs Keyward's lane, and everybody who is on it.
  it.fails('deeper than anybody reads do no harm to others', async () => {
    const deep = request('EVAL', 'local t = {} for i = 1, 500 do t = {t} end return t', 0)
    for (let i = 0; i < 20; i++) {
      acme.send(deep)
      const replies = await beta.exchange(Buffer.concat(Array.from({ length: 50 }, () => request('SET', 'a', '1'))), 50)
      expect(replies.map(String).filter((reply) => reply !== '+OK\r\n')).toEqual([])
    }
  })
})
