import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findServers } from '../../scripts/lib/redis.mjs'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis, theRedis } from '../helpers/redis.ts'

/**
 * FUNCTION and FCALL of a tenant with `functions: trusted` against a server of its own, byte for byte, while another tenant has
 * libraries and functions of the same names.
 */

type Row = readonly [...args: (string | { readonly differs: string })[]]

const LIBRARY = `#!lua name=lib
redis.register_function('set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)

local function get(keys) return redis.call('GET', keys[1]) end
redis.register_function{function_name = 'get', callback = get, flags = {'no-writes'}, description = 'a d\\'e'}
redis.register_function('fails', function() error('my own') end)
redis.register_function('types', function(k, a) return {1, 'x', {ok = 'fine'}, false, {#k, #a, a[1]}} end)
redis.register_function('unknown', function() return redis.call('nosuch') end)
redis.register_function('arity', function() return redis.call('GET') end)
redis.register_function('index', function() local t = nil
  return t.x end)
redis.register_function('line', function()

  return {redis.call('GET')} end)
local function deep() error({err = 'MINE of a table'}) end
redis.register_function('deep', function() deep() end)
redis.register_function('reply', function() return redis.error_reply('MINE own') end)
redis.register_function('members', function()
  local names = {} for name in pairs(redis) do names[#names + 1] = name end table.sort(names) return names
end)
redis.register_function('globals', function() return {_G.redis == redis, type(load), loadstring('return redis')() == redis} end)
redis.register_function('caught', function(k)
  local reply = redis.pcall('INCR', k[1])
  return reply.err or reply
end)
`

const lib = (...lines: string[]) => `#!lua name=other\n${lines.join('\n')}`
const load = (...lines: string[]): Row => ['FUNCTION', 'LOAD', 'REPLACE', lib(...lines)]
const differs = (why: string) => ({ differs: why })

const LOADS: readonly Row[] = [
  ['FUNCTION', 'LOAD', LIBRARY],
  ['FUNCTION', 'LOAD', LIBRARY],
  ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY],
  ['FUNCTION', 'LOAD', 'replace', 'REPLACE', LIBRARY],
  ['FUNCTION', 'LOAD'],
  ['FUNCTION', 'LOAD', 'REPLACE'],
  ['FUNCTION', 'LOAD', 'NOSUCH', LIBRARY],
  ['FUNCTION', 'LOAD', 'NO\r\nSUCH', LIBRARY],
  ...[
    '',
    'x',
    '#!',
    '#!lua',
    '#!\n',
    '#!lua\n',
    '#!lua name=\n',
    '#!lua name=a name=b\n',
    '#!lua foo=1\n',
    '#!lua name=a foo=1\n',
    '#!lua name=a-b\n',
    '#!lua name="a b"\n',
    '#!lua name="a\n',
    '#!lua name=a\0b\nx',
    '#!nosuch name=a\n',
    '#!nosuch name=a-b\n',
    '#! name=a\n',
    ' #!lua name=a\n',
    '#!lua name=nothing\n',
    '#!lua name=syntax\nlocal x = = 1',
    '#!lua name=syntax\n(1)',
    "#!lua name=syntax\nredis.register_function('a",
    '#!lua name=syntax\n--[[ redis.register_function',
    "#!LUA NAME=quoted\nredis.register_function('quoted', function() return 'q' end)",
    "#!\"lu\\x61\"   'name=quoted2'  \nredis.register_function('quoted2', function() return 'q' end)",
    "#!lua name=lines\r\nredis.register_function('lines',\r\nfunction() error('x') end)",
  ].map((code): Row => ['FUNCTION', 'LOAD', code]),
  ['FUNCTION', 'LOAD', '#!lua name="a"b\n', differs('Valkey 9 lets text follow a quote')],
  load("redis.register_function('set', function() end)"),
  load("redis.register_function('SET', function() end)"),
  load("redis.register_function('a', function() end)", "redis.register_function('a', function() end)"),
  load("redis.register_function('', function() end)"),
  load("redis.register_function('a-b', function() end)"),
  load('redis.register_function(12, function() end)'),
  load('redis.register_function()'),
  load('redis.register_function(nil, nil, nil)'),
  load("redis.register_function('a')"),
  [...load("redis.register_function('a', 2)"), differs('it is string.dump() that complains')],
  load("redis.register_function('a', function() end, 3)"),
  [...load('redis.register_function({}, function() end)'), differs('there is no type() while a library is loaded')],
  load('redis.register_function{callback = function() end}'),
  load("redis.register_function{function_name = '', callback = function() end}"),
  [
    ...load("redis.register_function{function_name = 'b', callback = function() end, nosuch = 1}"),
    differs('a table is not passed on: the server takes names of fields in capitals, too'),
  ],
  load("redis.register_function{function_name = 'b', callback = function() end, flags = {'nosuch'}}"),
  load("redis.register_function{function_name = 'b'}"),
  load('redis.register_function{function_name = 13, callback = function() end}'),
  load(
    "local t = {callback = function() return 1 end} for i = 1, 3 do t.function_name = 'loop' .. i redis.register_function(t) end",
  ),
  load('local register = redis.register_function', "register('aliased', function() return 'y' end)"),
  [
    ...load('', '', "redis.nosuch('a')"),
    differs('what stands for redis has no metatable: there is no setmetatable() while a library is loaded'),
  ],
  load('', 'x = 1'),
  [...load("redis.call('GET', 'x')"), differs('what stands for redis has no metatable')],
  load('', '', 'x.y.z = 1'),
  load('(1)()'),
  load(';'),
  load("redis.register_function('a', false)"),
  load("redis.register_function{function_name = 'b', callback = false}"),
  load("redis.register_function{function_name = 'b', callback = function() end, flags = 1}"),
  load('local s = redis.REDIS_VERSION .. redis.REDIS_VERSION_NUM .. redis.LOG_NOTICE'),
  load('return {}'),
  load(
    "-- redis.register_function('a', 1)",
    "local s = [[redis.register_function]] redis.register_function('quoting', function() return s end)",
  ),
  ['FCALL', 'quoting', '0'],
]

const CALLS: readonly Row[] = [
  ['FCALL', 'set', '1', 'k', 'v'],
  ['FCALL', 'GET', '1', 'k'],
  ['FCALL_RO', 'get', '1', 'k'],
  ['FCALL_RO', 'set', '1', 'k', 'v'],
  ['FCALL', 'fails', '0'],
  ['FCALL', 'types', '2', 'a', 'b', 'c'],
  ['FCALL', 'unknown', '0'],
  ['FCALL', 'arity', '0'],
  ['FCALL', 'index', '0'],
  ['FCALL', 'caught', '1', 'k'],
  ...['line', 'deep', 'reply', 'members', 'globals'].map((name): Row => ['FCALL', name, '0']),
  ['FCALL', 'nosuch', '0'],
  ['FCALL', '', '0'],
  ['FCALL', 'nosuch', 'x'],
  ['FCALL', 'get', 'x'],
  ['FCALL', 'get', '-1', 'k'],
  ['FCALL', 'get', '2', 'k'],
  ['FCALL', 'get', ' 1', 'k'],
  ['FCALL', 'get', '99999999999999999999', 'k'],
  ['FCALL', 'get'],
  ['FCALL'],
  ['FCALL', 'quoted', '0'],
  ['FCALL', 'quoted2', '0'],
  ['FCALL', 'lines', '0'],
  ['MULTI'],
  ['FCALL', 'set', '1', 'k', 'w'],
  ['FCALL', 'nosuch', '0'],
  ['FCALL', 'fails', '0'],
  ['FCALL_RO', 'get', '1', 'k'],
  ['FCALL', 'get', 'x'],
  ['EXEC'],
  ['WATCH', 'k'],
  ['FCALL', 'fails', '0'],
  ['FCALL', 'get', '1', 'k'],
  ['UNWATCH'],
]

const REST: readonly Row[] = [
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'quoted'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'QUO?ED', 'WITHCODE'],
  ['FUNCTION', 'LIST', 'withcode', 'libraryname', 'quoted2'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', 'lines'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', 'other'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'nosuch'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'keyward*'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME'],
  ['FUNCTION', 'LIST', 'nosuch'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'WITHCODE'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'a', 'LIBRARYNAME', 'b'],
  ['FUNCTION', 'STATS'],
  ['FUNCTION', 'STATS', 'x'],
  ['FUNCTION', 'KILL'],
  ['FUNCTION', 'HELP', differs('it has the words of Redis 7.0')],
  ['FUNCTION', 'NOSUCH'],
  ['FUNCTION'],
  ['FUNCTION', 'DELETE'],
  ['FUNCTION', 'DELETE', 'nosuch'],
  ['FUNCTION', 'DELETE', 'LIB'],
  ['FUNCTION', 'DELETE', 'lib'],
  ['FUNCTION', 'DELETE', 'lib'],
  ['FCALL', 'get', '1', 'k'],
  ['FUNCTION', 'STATS'],
  ['FUNCTION', 'FLUSH', 'nosuch'],
  ['FUNCTION', 'flush', 'SYNC', 'x'],
  ['FUNCTION', 'FLUSH', 'async'],
  ['FUNCTION', 'LIST'],
  ['FUNCTION', 'STATS'],
  ['FUNCTION', 'FLUSH'],
  ['FUNCTION', 'FLUSH', 'SYNC'],
]

const usual = await theRedis()
const all =
  process.env.KEYWARD_TIER === undefined
    ? [usual]
    : [usual, ...(await findServers()).filter(({ version }) => version !== usual.version)]

describe.each(all)('functions on $kind $version', (server) => {
  const trusted = { upstream: 'main', functions: 'trusted' }
  let bare: RedisServer
  let redis: RedisServer
  let keyward: Keyward

  beforeAll(async () => {
    ;[bare, redis] = await Promise.all([startRedis({ redis: server }), startRedis({ redis: server })])
    keyward = await startKeyward(
      configFor(redis, {
        tenants: {
          acme: { ...trusted, users: { default: { password: 'acme' } } },
          beta: { ...trusted, users: { default: { password: 'beta' } } },
        },
      }),
    )
    const beta = await keyward.connect({ password: 'beta' })
    expect(await beta.command('FUNCTION', 'LOAD', LIBRARY)).toBe('$3\r\nlib\r\n')
    expect(await beta.command('FUNCTION', 'LOAD', lib("redis.register_function('quoted', function() end)"))).toMatch(
      /other/,
    )
    beta.destroy()
  }, 60_000)

  afterAll(async () => {
    keyward?.stop()
    await Promise.all([bare?.stop(), redis?.stop()])
  })

  it.each([2, 3] as const)('answers as it would alone, in RESP%i', { timeout: 60_000 }, async (protocol) => {
    const [left, right] = await Promise.all([
      RawClient.connect({ port: bare.port }),
      keyward.connect({ password: 'acme' }),
    ])
    for (const client of [left, right]) await client.command('HELLO', protocol)
    const problems: string[] = []
    let exact = 0
    for (const row of [...LOADS, ...CALLS, ...REST]) {
      const args = row.filter((arg) => typeof arg === 'string')
      const [expected, given] = await Promise.all([left.command(...args), right.command(...args)])
      if (expected === given) exact++
      else if (args.length === row.length)
        problems.push(
          `${JSON.stringify(args)}\n  bare    ${JSON.stringify(expected)}\n  Keyward ${JSON.stringify(given)}`,
        )
    }
    left.destroy()
    right.destroy()
    expect(problems).toEqual([])
    expect(exact).toBeGreaterThanOrEqual(LOADS.length + CALLS.length + REST.length - 7)
  })

  it("has not touched the other tenant's", async () => {
    const beta = await keyward.connect({ password: 'beta' })
    expect(await beta.command('FCALL', 'set', 1, 'k', 'mine')).toBe('+OK\r\n')
    expect(await beta.command('FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', 'lib')).toContain(LIBRARY)
    beta.destroy()
  })
})
