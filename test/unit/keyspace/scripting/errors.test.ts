import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servers, World } from './world.ts'

/* What scripts raise and catch, and numbers of chance after randomseed, are what they are without a prologue; nothing ends the server. */

/** Where the answer without a prologue is the same. Each is in need of the prologue's own `error` or `math`. */
const SAME: readonly string[] = [
  // Texts, places and lines, where nothing catches.
  `local x = 'x' error(x)`,
  `\n\nlocal x = 'x'\nerror(x, 0)`,
  `error(5)`,
  `error(nil)`,
  `error()`,
  `\nerror(true)`,
  `error('x', {})`,
  `error('x', '2')`,
  `\nlocal function f(e) error(e, 2) end\nf('x')`,
  `\nlocal function f(e)\n error(e, 3) end\nlocal function g() f('x') end\n g()`,
  `\nlocal f = error\nlocal x = f('x')`,
  `\n\nlocal function f(x)\n return error(x) end\nf('x')`,
  `\nlocal function f(x)\n local y = x or error('none')\n return y end\nreturn f(nil)`,
  `\nreturn error(5, 0)`,
  `local x = 'a\\nb' error(x)`,
  `error({err = 5})`,
  `\nerror({err = 'MY a', line = 77, source = 'b'})`,
  `\nerror(redis.error_reply('My custom'))`,
  `\nerror(setmetatable({}, {__index = {err = 'x'}}))`,
  `error(setmetatable({err = 'x'}, {__index = {}}))`,
  `\ncoroutine.wrap(function()\nlocal x = 'x' error(x) end)()`,
  `\nlocal f = coroutine.wrap(function()\nerror({err = 'MY x'}) end)\nf()`,
  `local f = loadstring('\\n\\nerror({err = "A b"})')\n\nf()`,
  `local f = loadstring('\\n\\nlocal x = "A b" error(x)', '@q')\nf()`,
  `\nlocal ok, e = pcall(redis.call, 'LPUSH', 'str', 'x')\nif not ok then error(e) end`,
  `\nlocal ok, e = xpcall(function()\nredis.call('LPUSH', 'str', 'x') end, function(e) return e end)\n error(e)`,
  `\nlocal e = redis.pcall('LPUSH', 'str', 'x')\nerror(e)`,
  `\nlocal e = redis.pcall('LPUSH', 'str', 'x')\n if e.err then error(e.err, 0) end`,
  // What a script catches is what it raised.
  `return {pcall(error)}`,
  `return {pcall(error, 'x')}`,
  `local ok, e = pcall(error, {a = 5}) return e.a`,
  `local ok, e = pcall(error, {err = 7}) return {tostring(e), type(e)}`,
  `local ok, e = pcall(error, false) return {tostring(e), type(e)}`,
  `local E = {} E.__index = E\nlocal ok, e = pcall(function() error(setmetatable({code = 5}, E)) end)\nreturn {e.code, getmetatable(e) == E and 1 or 0}`,
  `local E = {} E.__index = E E.err = 'z'\nlocal ok, e = pcall(function() error(setmetatable({}, E)) end)\nreturn {tostring(e), type(e)}`,
  `local x = {} return {pcall(function() error(x) end) and 1 or 2, select('#', pcall(function() return 1, nil end))}`,
  `return {pcall()}`,
  `return {xpcall(1)}`,
  `return {xpcall(function() error({'q'}) end, function(e) return 'h' .. e[1] end)}`,
  `return {xpcall(function() error({1}) end, 5)}`,
  `local x = 'x' return {coroutine.resume(coroutine.create(function() error(x) end))}`,
  `local x = 'x' return {pcall(coroutine.wrap(function() error(x) end))}`,
  `local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({b}) end)
   local _, x = coroutine.resume(co, 1) local ok, e = coroutine.resume(co, 9)
   return {x, tostring(ok), e[1], coroutine.status(co), select(2, coroutine.resume(co))}`,
  `local f = coroutine.wrap(function(...) local a = {...} while true do a = {coroutine.yield(unpack(a))} if a[1] == 0 then error(a) end end end)
   local x = {f(1, nil, 3)} local n = select('#', f(1, 2, 3, 4)) local ok, e = pcall(f, 0) return {x[3], n, e[1]}`,
  `return _G.pcall(_G.error, {err = 'x y'})`,
  // A generator that the script has set.
  `math.randomseed(42) local t = {} for i = 1, 50 do t[i] = math.random(1e6) end return t`,
  `math.randomseed(-5.7) return {tostring(math.random()), math.random(5, 10), math.random(-10, -5)}`,
  `math.randomseed(2 ^ 40 + 3) return math.random(1e9)`,
  `math.randomseed(-2 ^ 31) return math.random(1e9)`,
  `math.randomseed('12') return math.random(1e9)`,
  `_G.math.randomseed(12) return _G['math'].random(1e9)`,
  `math.randomseed()`,
  `math.randomseed({})`,
  `local m = math m.randomseed(7) return {m.floor(1.5), m.random(1e9), m.max(1, 2)}`,
]

/** Each ended a server, or its script's client had no answer. */
const FATAL: readonly string[] = [
  'error({})',
  "error({ok = 'fine'})",
  'error({err = true})',
  'error({}, 2)',
  'error(KEYS)',
  'error(ARGV)',
  'error(redis)',
  'local e = error e({})',
  'local ok, e = pcall(error, {}) error(e)',
  'local ok, e = xpcall(function() error({}) end, function(e) return e end) error(e)',
  'coroutine.wrap(function() error({}) end)()',
  'coroutine.wrap(error)({})',
  "string.gsub('x', 'x', function() error({}) end)",
  'table.sort({1, 2, 3}, function() error({}) end)',
  'for _ in (function() error({}) end) do end',
  'return setmetatable({}, {__add = function() error({}) end}) + 1',
  'return tostring(setmetatable({}, {__tostring = function() error({}) end}))',
  "error('x' .. setmetatable({}, {__concat = function() return {} end}))",
  "error('x' and {})",
  "error(('x') and {})",
  "error('x' == 'x' and {} or 1)",
  'local x = {} error(x)',
  "loadstring('error({})')()",
  "loadstring('local e = ... e({})')(error)",
  'load(function() error({}) end)',
  '_G.error({})',
  "_G['er' .. 'ror']({})",
  'for _, n in ipairs({"error"}) do _G[n]({}) end',
  "error(setmetatable({}, {__index = function() error('x') end}))",
  "error(setmetatable({err = 'x'}, {__index = setmetatable({}, {__index = function() error('x') end})}))",
  "error(setmetatable({err = 'x'}, {__newindex = function() error('y') end}))",
  "error(setmetatable({err = 'x'}, {__newindex = function(t, k) rawset(t, 'err', {}) end}))",
  'error(setmetatable({}, {__metatable = false, __index = function() return {} end}))',
  'local e = {} setmetatable(e, {__index = e}) error(e)',
  "local ok, e = xpcall(function() redis.call('LPUSH', 'str', 1) end, function(e) return e end) e.err = {} error(e)",
  "local ok, e = xpcall(function() redis.call('LPUSH', 'str', 1) end, function(e) getmetatable(e).__index = error return e end) e.err = nil error(e)",
]

describe.each(await servers())('$kind $version', (server) => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ redis: server })
    await world.inside.command('SET', 'acme:str', 'x')
    await world.bare.command('SET', 'str', 'x')
  })
  afterAll(() => world?.close())

  test.each(SAME)('%j', async (script) => {
    expect(await world.run(script)).toBe(await world.runBare(script))
  })

  test.each(FATAL)('%s ends no server', async (script) => {
    expect(await world.run(`\n${script}`)).toMatch(/^-(ERR |WRONGTYPE |x |\x20)/)
    expect(await world.inside.command('PING')).toBe('+PONG\r\n')
  })

  test('a table without a text has one where it ends a script', async () => {
    expect(await world.run('\n\nerror({})')).toMatch(
      /^-ERR unknown error script: ([0-9a-f]{40}, )?on @user_script:3\.\r\n$/,
    )
  })

  test('randomseed is of no effect for others, and random goes on for them', async () => {
    const drawn = new Set<string>()
    for (let i = 0; i < 20; i++) {
      await world.run('math.randomseed(42) return math.random(10)')
      drawn.add(await world.runBare('return math.random(1000000000)'))
      drawn.add(await world.run('return math.random(1000000000)'))
    }
    expect(drawn.size).toBe(40)
  })
})
