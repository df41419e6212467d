import { afterAll, beforeAll, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** `functions: trusted`: whatever a library does, what it registers has names of its tenant's, from the first moment on. */

const tenant = (name: string) => ({ upstream: 'main', functions: 'trusted', users: { default: { password: name } } })
const library = (body: string, name = 'lib') => `#!lua name=${name}\n${body}`

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, { tenants: { acme: tenant('acme'), beta: tenant('beta') } }))
}, 60_000)

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

async function withClient<T>(password: string, use: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await keyward.connect({ password })
  try {
    return await use(client)
  } finally {
    client.destroy()
  }
}

const ask = (password: string, ...args: (string | number)[]) =>
  withClient(password, (client) => client.command(...args))

/** Ways to register_function, for a function that is to be called NAME. */
const WAYS: readonly (readonly [way: string, body: string])[] = [
  ['a copy of redis', "local r = redis r.register_function('NAME', function() return 'ACME' end)"],
  ['brackets', "redis['register_' .. 'function']('NAME', function() return 'ACME' end)"],
  ['blanks', "redis . register_function('NAME', function() return 'ACME' end)"],
  ['a table', "redis.register_function{function_name = 'NAME', callback = function() return 'ACME' end}"],
  [
    'a table in capitals',
    "redis.register_function{FUNCTION_NAME = 'NAME', Function_Name = 'NAME', Callback = function() return 'ACME' end}",
  ],
  [
    'two names in a table',
    "redis.register_function{function_name = 'a', FUNCTION_NAME = 'NAME', callback = function() return 'ACME' end}",
  ],
  ['three arguments', "redis.register_function('NAME', function() return 'ACME' end, {})"],
  [
    'what a pattern finds',
    "('x'):gsub('x', function() redis.register_function('NAME', function() return 'ACME' end) end)",
  ],
  ['the globals', "_G.redis.register_function('NAME', function() return 'ACME' end)"],
  ['an environment', "getfenv(0).redis.register_function('NAME', function() return 'ACME' end)"],
  ['a metatable', "getmetatable(redis).__index.register_function('NAME', function() return 'ACME' end)"],
  ['text', "loadstring(\"redis.register_function('NAME', function() return 'ACME' end)\")()"],
  ['the name of Valkey', "server.register_function('NAME', function() return 'ACME' end)"],
]

it.each(WAYS)('names of another tenant are not registered by %s', async (_, body) => {
  const code = library(`${body.replaceAll('NAME', 'keyward_beta__sly')}`, 'sly')
  await withClient('acme', async (client) => {
    const reply = await client.command('FUNCTION', 'LOAD', code)
    expect(reply).toMatch(/^(\$3\r\nsly|-ERR Error registering functions: )/)
    expect(await redis.cli('FUNCTION', 'LIST')).not.toMatch(/^keyward_beta__sly$/m)
    if (reply.startsWith('$')) {
      expect(await client.command('FUNCTION', 'LIST', 'LIBRARYNAME', 'sly', 'WITHCODE')).toContain(code)
      expect(await client.command('FUNCTION', 'DELETE', 'sly')).toBe('+OK\r\n')
    }
  })
  expect(await ask('beta', 'FCALL', 'sly', 0)).toBe('-ERR Function not found\r\n')
})

it("functions of one tenant's never answer another, not while they are being loaded", async () => {
  const [acme, beta] = await Promise.all([keyward.connect({ password: 'acme' }), keyward.connect({ password: 'beta' })])
  let loading = true
  const loads = (async () => {
    for (let n = 0; n < 30; n++)
      for (const [, body] of WAYS.slice(0, 5))
        await acme.command('FUNCTION', 'LOAD', 'REPLACE', library(body.replaceAll('NAME', 'keyward_beta__sly'), 'sly'))
    loading = false
  })()
  const replies = new Set<string>()
  while (loading) replies.add(await beta.command('FCALL', 'sly', 0))
  await loads
  expect([...replies]).toEqual(['-ERR Function not found\r\n'])
  await acme.command('FUNCTION', 'DELETE', 'sly')
  for (const client of [acme, beta]) client.destroy()
})

it('names of another tenant are not told by what LOAD answers', async () => {
  await ask('beta', 'FUNCTION', 'LOAD', library("redis.register_function('secret', function() end)", 'vault'))
  for (const [, body] of WAYS.slice(0, 5)) {
    const replies = []
    for (const name of ['keyward_beta__secret', 'keyward_beta__nosuch'])
      replies.push(await ask('acme', 'FUNCTION', 'LOAD', 'REPLACE', library(body.replaceAll('NAME', name), 'sly')))
    expect(replies[0], body).toEqual(replies[1])
  }
  await ask('acme', 'FUNCTION', 'DELETE', 'sly')
  await ask('beta', 'FUNCTION', 'DELETE', 'vault')
})

it("names that are another's are not listed, should a library of the tenant's have them", async () => {
  const code = "#!lua name=keyward_acme__odd\nredis.register_function('keyward_beta__odd', function() end)"
  await redis.cli('FUNCTION', 'LOAD', code)
  expect(await ask('acme', 'FUNCTION', 'LIST', 'LIBRARYNAME', 'odd')).toMatch(/functions\r\n\*0\r\n$/)
  await redis.cli('FUNCTION', 'DELETE', 'keyward_acme__odd')
})

it('a library may call redis by another name, and in its functions it is the real one', async () => {
  const body = [
    'local redis, register = redis, redis.register_function',
    "local level = redis['LOG_' .. 'NOTICE'] redis.log(level, 'loaded by ' .. redis.REDIS_VERSION)",
    "register('copied', function(keys) return 'copied' end)",
  ].join('\n')
  const rest = [
    'local register = redis.register_function',
    "register('later', function(keys, args) return {redis.call('ECHO', args[1]), _G.redis == redis, loadstring('return 1')()} end)",
    "register('again', function() return redis.register_function('a', function() end) end)",
    "register('kept', function() return register('a', function() end) end)",
    "register('strings', function() getmetatable('').__index = function() return function() return 'sly' end end end)",
  ].join('\n')
  await withClient('acme', async (client) => {
    expect(await client.command('FUNCTION', 'LOAD', library(body, 'one'))).toBe('$3\r\none\r\n')
    expect(await client.command('FUNCTION', 'LOAD', library(rest, 'other'))).toBe('$5\r\nother\r\n')
    expect(await client.command('FCALL', 'copied', 0)).toBe('$6\r\ncopied\r\n')
    for (const _ of [1, 2]) expect(await client.command('FCALL', 'later', 0, 'x')).toBe('*3\r\n$1\r\nx\r\n:1\r\n:1\r\n')
    expect(await client.command('FCALL', 'again', 0)).toMatch(/attempt to call field 'register_function'/)
    expect(await client.command('FCALL', 'kept', 0)).toMatch(/can only be called on FUNCTION LOAD command/)
    expect(await client.command('FCALL', 'strings', 0)).toMatch(/^-ERR .*(readonly|index)/)
    for (const name of ['one', 'other']) expect(await client.command('FUNCTION', 'DELETE', name)).toBe('+OK\r\n')
  })
})

it('no function changes the globals of libraries that come later', async () => {
  const tries = [
    'setfenv(0, own)',
    '_G.setfenv(0, own)',
    "loadstring('local own = ... setfenv(0, own)')(own)",
    "_G.loadstring('local own = ... _G.setfenv(0, own)')(own)",
    'load(function() local text = chunk chunk = nil return text end)(own)',
    'getmetatable(_G).__index = own',
    "rawset(getfenv(0), 'redis', own)",
    "rawset(_G, 'redis', own)",
    'redis.register_function = nil',
  ]
  const body = tries
    .map(
      (text, n) => `redis.register_function('t${n}', function() local own, chunk = {}, 'setfenv(0, ...)' ${text} end)`,
    )
    .join('\n')
  expect(await ask('acme', 'FUNCTION', 'LOAD', library(body, 'tries'))).toBe('$5\r\ntries\r\n')
  for (const n of tries.keys()) expect(await ask('acme', 'FCALL', `t${n}`, 0), tries[n]).toMatch(/^(-|\$-1)/)
  expect(await ask('acme', 'FUNCTION', 'DELETE', 'tries')).toBe('+OK\r\n')
  const later = "redis.register_function('later', function() return redis.call('ECHO', 'fine') end)"
  expect(await ask('beta', 'FUNCTION', 'LOAD', library(later, 'later'))).toBe('$5\r\nlater\r\n')
  expect(await ask('beta', 'FCALL', 'later', 0)).toBe('$4\r\nfine\r\n')
  await ask('beta', 'FUNCTION', 'DELETE', 'later')
})

it('no server ends of a library that logs', async () => {
  const body = "redis.log(redis.LOG_NOTICE, 'loaded') redis.register_function('logs', function() end)"
  expect(await ask('acme', 'FUNCTION', 'LOAD', library(body, 'logs'))).toBe('$4\r\nlogs\r\n')
  expect(await ask('acme', 'FUNCTION', 'DELETE', 'logs')).toBe('+OK\r\n')
  expect(await redis.cli('PING')).toBe('PONG')
})

it('a library reaches none of these while it is loaded, on no server', async () => {
  const bare = await RawClient.connect({ port: redis.port })
  const names = ['_G', 'load', 'loadstring', 'getfenv', 'setfenv', 'rawget', 'getmetatable', 'setmetatable', 'pcall']
  for (const name of [...names, 'require', 'package', 'debug', 'dofile', 'module', 'newproxy', 'coroutine'])
    expect(await bare.command('FUNCTION', 'LOAD', library(`local x = ${name}`)), name).toMatch(
      new RegExp(`attempted to access nonexistent global variable '${name}'`),
    )
  bare.destroy()
})
