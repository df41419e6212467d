import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient } from '../../../helpers/raw-client.ts'
import { servers, tenantWith, World } from './world.ts'

/*
 * What a tenant's Lua may try to get at others' keys, with the prologue alone: whoever runs it here may do anything in Redis.
 * `beta:secret` holds SESAME. The tenant's own `acme:beta:secret`, which it may well reach by that name, holds `mine`.
 */

/** Each is a chunk that returns what it could get, or raises. */
const TRIES: readonly string[] = [
  // By the name of a key.
  `return redis.call('GET', 'beta:secret')`,
  `return redis.call('GET', '../beta:secret')`,
  `return redis.call('GET', KEYS[1])`,
  `return redis.call('MGET', 'acme:x', 'beta:secret')`,
  `local k = {'b', 'e', 't', 'a', ':secret'} return redis.call('GET', table.concat(k))`,
  `return redis.call(string.format('%s%s', 'G', 'ET'), ('%s:%s'):format('beta', 'secret'))`,
  `return redis.call(unpack({'GET', 'beta:secret'}))`,
  `return redis.call(select(2, 1, 'GET', 'beta:secret'))`,
  `return redis.call('GET', setmetatable({}, {__tostring = function() return 'beta:secret' end}))`,
  `return redis.call('GET', setmetatable({}, {__concat = function() return 'beta:secret' end}))`,
  `return redis.call(setmetatable({}, {__tostring = function() return 'GET' end}), 'beta:secret')`,
  `return redis.call('COPY', 'beta:secret', 'stolen', 'DB', 0) .. redis.call('GET', 'stolen')`,
  `return redis.call('EVAL', "return redis.call('GET', 'beta:secret')", 0)`,
  `return redis.call('EVALSHA', redis.sha1hex(''), 0)`,
  `return redis.call('FCALL', 'f', 0)`,
  `return redis.call('RENAME', 'beta:secret', 'stolen')`,
  `return redis.call('SORT', 'list', 'BY', 'nosort', 'GET', 'beta:*')`,
  `return redis.call('SORT', 'list', 'BY', 'beta:*', 'GET', 'beta:*', 'STORE', 'stolen')`,
  `return redis.call('sort_ro', 'list', 'by', 'x', 'get\\0', 'beta:*')`,
  `return redis.call('GEORADIUS', 'geo', 1, 1, 1, 'km', 'STORE\\0', 'beta:secret')`,
  `return redis.call('MIGRATE', '127.0.0.1', 1, 'beta:secret', 0, 10)`,
  `return redis.call('XREAD', 'BLOCK', 0, 'STREAMS\\0', 'beta:stream', '0')`,
  `return redis.call('XREAD', 'STREAMS', 'beta:stream', '0')`,
  `return redis.call('ZUNIONSTORE', 'z', '-1', 'beta:z')`,
  `return redis.call('ZUNION', 99, 'beta:z')`,
  `return redis.call('OBJECT', 'ENCODING', 'beta:secret')`,
  `return redis.call('object', 'freq|', 'beta:secret')`,
  `return redis.call('object|encoding', 'beta:secret')`,
  `return redis.call('get 1;getbit', 'beta:secret')`,
  `return redis.call(('get '):sub(1, 4), 'beta:secret')`,
  `return redis.call('DEBUG', 'OBJECT', 'beta:secret')`,
  `return redis.call('MEMORY', 'USAGE', 'beta:secret')`,
  // What sees the whole keyspace, or the server.
  ...[
    `'KEYS', '*'`,
    `'SCAN', 0`,
    `'RANDOMKEY'`,
    `'FLUSHALL'`,
    `'FLUSHDB'`,
    `'SWAPDB', 0, 1`,
    `'DBSIZE'`,
    `'INFO'`,
    `'CONFIG', 'SET', 'maxmemory', 1`,
    `'CONFIG', 'GET', '*'`,
    `'CLIENT', 'LIST'`,
    `'CLIENT', 'KILL', 'TYPE', 'normal'`,
    `'SLOWLOG', 'GET'`,
    `'MONITOR'`,
    `'ACL', 'LIST'`,
    `'ACL', 'WHOAMI'`,
    `'SCRIPT', 'FLUSH'`,
    `'FUNCTION', 'LIST'`,
    `'FUNCTION', 'FLUSH'`,
    `'COMMAND', 'COUNT'`,
    `'PUBSUB', 'CHANNELS'`,
    `'MODULE', 'LIST'`,
    `'CLUSTER', 'INFO'`,
    `'LATENCY', 'RESET'`,
    `'MEMORY', 'STATS'`,
    `'SUBSCRIBE', 'beta:news'`,
    `'SHUTDOWN'`,
    `'REPLICAOF', 'NO', 'ONE'`,
    `'AUTH', 'x'`,
    `'RESET'`,
    `'WAIT', 0, 0`,
    `'SAVE'`,
    `'LOLWUT'`,
  ].flatMap((args) => [
    `return redis.call(${args})`,
    `local n = function(...) return redis.pcall(...) end return n(${args})`,
  ]),
  `redis.call('SELECT', 0) return redis.call('GET', 'beta:secret')`,
  `redis.call('SELECT', 1) return redis.call('GET', 'beta:secret')`,
  `redis.call('SELECT', '0 beta: - -') return redis.call('GET', 'secret')`,
  `return redis.call('MOVE', 'beta:secret', 0)`,
  // Around the prologue: to the real redis.call.
  `return _G.redis.call('GET', 'beta:secret')`,
  `return _G['re' .. 'dis'].call('GET', 'beta:secret')`,
  `return rawget(_G, 'redis').call('GET', 'beta:secret')`,
  `for k, v in pairs(_G) do if k == 'redis' then return v.call('GET', 'beta:secret') end end`,
  `for k, v in next, _G do return v end`,
  `return _G._G._G.redis.call('GET', 'beta:secret')`,
  `return getmetatable(_G).__index(_G, 'redis').call('GET', 'beta:secret')`,
  `setmetatable(_G, {}) return redis.call('GET', 'beta:secret')`,
  `return getmetatable(redis).__index.call('GET', 'beta:secret')`,
  `return getmetatable(redis.call).__call('GET', 'beta:secret')`,
  `return rawget(redis, 'call')('GET', 'beta:secret')`,
  `for k, v in pairs(redis) do if k == 'call' or k == 'pcall' then return v('GET', 'beta:secret') end end`,
  `local r = redis return r.call('GET', 'beta:secret')`,
  `redis = nil return redis.call('GET', 'beta:secret')`,
  `local redis = redis return redis.call('GET', 'beta:secret')`,
  `do local redis end return redis.call('GET', 'beta:secret')`,
  `return server.call('GET', 'beta:secret')`,
  `return _G.server.call('GET', 'beta:secret')`,
  `return getmetatable(server).__index.call('GET', 'beta:secret')`,
  `return loadstring("return redis.call('GET', 'beta:secret')")()`,
  `return loadstring("return _G.redis.call('GET', 'beta:secret')")()`,
  `return loadstring("return server.call('GET', 'beta:secret')")()`,
  `return loadstring("return loadstring('return redis.call(\\\\'GET\\\\', \\\\'beta:secret\\\\')')()")()`,
  `return loadstring("end return redis.call('GET', 'beta:secret') --")()`,
  `return loadstring("return 1 end, (function() return redis.call('GET', 'beta:secret') end)() --")()`,
  `return loadstring("return redis.call('GET', 'beta:secret')\\nend do local redis")()`,
  `return loadstring("\\nreturn redis.call('GET', 'beta:secret')", '@x')()`,
  `local i = 0 return load(function() i = i + 1 return ({"return redis.ca", "ll('GET', 'beta:secret')"})[i] end)()`,
  `local i, f = 0, nil f = load(function() i = i + 1 return ({"local redis, x = ... ", "return _G.redis.call('GET', 'beta:secret')"})[i] end) return f(redis)`,
  `return getfenv(0).redis.call('GET', 'beta:secret')`,
  `return getfenv(redis.call).redis.call('GET', 'beta:secret')`,
  `return loadstring("return getfenv(0).redis.call('GET', 'beta:secret')")()`,
  `setfenv(1, {}) return redis.call('GET', 'beta:secret')`,
  `return debug.getupvalue(redis.call, 1)`,
  `return debug.getregistry().redis`,
  `return require('debug')`,
  `return package.loaded._G.redis.call('GET', 'beta:secret')`,
  `return newproxy(true) and redis.call('GET', 'beta:secret')`,
  `return string.dump(redis.call)`,
  `return loadstring(string.dump(function() return redis.call('GET', 'beta:secret') end))()`,
  `local d = string.dump(redis.call) return loadstring(d)('GET', 'beta:secret')`,
  `return coroutine.wrap(redis.call)('GET', 'beta:secret')`,
  `local c = coroutine.create(redis.call) return select(2, coroutine.resume(c, 'GET', 'beta:secret'))`,
  `return select(2, pcall(redis.call, 'GET', 'beta:secret'))`,
  `return select(2, xpcall(function() return redis.call('GET', 'beta:secret') end, print))`,
  `return select(2, pcall(pcall, redis.call, 'GET', 'beta:secret'))`,
  `return ('x'):gsub('x', function() return redis.call('GET', 'beta:secret') end)`,
  `local t = {'beta:secret'} table.sort(t, function() end) return redis.call('GET', t[1])`,
  // By what the prologue works with.
  `setmetatable(KEYS, {__index = function() return 'beta:secret' end}) return redis.call('GET', KEYS[9])`,
  `KEYS[1] = 'beta:secret' return redis.call('GET', KEYS[1])`,
  `ARGV[#ARGV + 1] = 'beta: beta: - -' return redis.call('GET', 'secret')`,
  `return ARGV[#ARGV]`,
  `return table.concat(ARGV, ',')`,
  `getmetatable('').__concat = function() return 'beta:secret' end return redis.call('GET', 'x')`,
  `getmetatable('').__index = function() return function() return '' end end return redis.call('GET', 'x')`,
  `string.match = function() return 'beta:' end return redis.call('GET', 'secret')`,
  `string.sub = function() return '' end return redis.call('LMPOP', 1, 'list', 'LEFT')`,
  `rawset(string, 'match', nil) return 1`,
  `type = function() return 'number' end return redis.call('GET', 'x')`,
  `rawset(_G, 'type', function() return 'number' end) return redis.call('GET', 'beta:secret')`,
  `error = function() end return 1`,
  `local unpack = function() return 'beta:secret' end return redis.call('MGET', 'a', 'b')`,
  `local type, select, unpack, pcall = 1, 2, 3, 4 return redis.call('MGET', 'beta:secret', 'b')`,
  `return __redis__err__handler(redis)`,
  `return __redis__err__handler(setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v) error('other') end}))`,
  // By errors, and what is in them.
  `local _, e = xpcall(function() redis.call('LPUSH', 'string', 1) end, function(e) return e end) return getmetatable(e).__index.source`,
  `local _, e = xpcall(function() redis.call('LPUSH', 'string', 1) end, function(e) return e end) for k, v in pairs(getmetatable(e)) do getmetatable(e)[k] = 1 end error(e)`,
  `local _, e = pcall(redis.call, 'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'beta:stream', '>') return e`,
  `return redis.pcall('XGROUP', 'SETID', 'nothing', 'g', '0')`,
  `return redis.pcall('GET', 'x', 'y')`,
  // By messages, and by what a script can know.
  `return redis.call('PUBLISH', 'beta:news', 'forged')`,
  `return redis.call('SPUBLISH', 'beta:news', 'forged')`,
  `return redis.call('PUBSUB', 'NUMSUB', 'beta:news')[2] > 0 and 'SESAME'`,
  `return redis.acl_check_cmd('GET', 'beta:secret')`,
  `redis.register_function('f', function() end)`,
  `return cjson.encode(redis)`,
  `return cjson.encode(_G)`,
  `return cmsgpack.pack(redis)`,
  `return tostring(redis) .. tostring(redis.call)`,
]

describe.each(await servers())('$kind $version', (server) => {
  let world: World
  let listener: RawClient
  beforeAll(async () => {
    world = await World.open({ redis: server })
    listener = await RawClient.connect({ port: world.redis.port })
    await fill()
    await listener.command('SUBSCRIBE', 'beta:news', 'fence')
    await listener.reply()
    await listener.command('SSUBSCRIBE', 'beta:news')
  })
  afterAll(async () => {
    listener?.destroy()
    await world?.close()
  })

  async function fill(): Promise<void> {
    await world.flush()
    await world.inside.command(
      'MSET',
      'beta:secret',
      'SESAME',
      'secret',
      'SESAME',
      'acme:beta:secret',
      'mine',
      'acme:string',
      'x',
    )
    await world.inside.command('XADD', 'beta:stream', '1-1', 'f', 'SESAME')
    await world.inside.command('ZADD', 'beta:z', 1, 'SESAME')
    await world.inside.command('RPUSH', 'acme:list', 'secret', 'z')
    await world.bare.command('SET', 'beta:secret', 'SESAME')
  }

  /** All keys but the tenant's, with what they hold. */
  async function foreign(): Promise<string> {
    const script = `local out = {} for db = 0, 1 do redis.call('SELECT', db) local keys = redis.call('KEYS', '*') table.sort(keys)
      for _, k in ipairs(keys) do if k:sub(1, 5) ~= 'acme:' then out[#out + 1] = db .. k .. redis.call('DUMP', k) end end end return out`
    return world.inside.command('EVAL', script, 0)
  }

  test.each([false, true])('nothing foreign is seen or touched (with rules on times to live: %s)', async (ttl) => {
    const before = await foreign()
    const settings = await world.inside.command('CONFIG', 'GET', '*')
    const tenant = tenantWith(
      ttl
        ? {
            ttl: [
              { keys: '*', default: 100_000, max: 200_000, min: 50_000, jitter: 0, persist: 'allow', dryRun: false },
            ],
          }
        : {},
    )
    const bad: unknown[] = []
    for (const script of TRIES) {
      for (const text of [script, `local f = function() ${script}\nend return f()`, `local x = redis ${script}`]) {
        const reply = await world.run(text, ['beta:secret'], ['v1'], tenant)
        if (/SESAME|acme:/.test(reply)) bad.push({ text, reply })
        if ((await foreign()) === before) continue
        bad.push({ text, touched: true, reply })
        await fill()
      }
    }
    expect(bad).toEqual([])
    expect(await world.inside.command('CONFIG', 'GET', '*')).toBe(settings)
    await world.inside.command('PUBLISH', 'fence', 'done')
    expect((await listener.reply()).toString()).toContain('done')
    // Nothing that it left behind works in the next script, of anybody.
    expect(await world.inside.command('EVAL', `return redis.call('GET', 'beta:secret')`, 0)).toBe('$6\r\nSESAME\r\n')
    expect(await world.inside.command('EVAL', `return {('x'):rep(2), type(1), #KEYS}`, 0)).toBe(
      '*3\r\n$2\r\nxx\r\n$6\r\nnumber\r\n:0\r\n',
    )
  })

  test('settings of cjson, and the collector, stay as they are', async () => {
    const probe = `local ok, e = pcall(cjson.encode, {[1] = 1, [1e6] = 2})
      return {cjson.encode({3.14159265358, {{{{1}}}}}), tostring(ok), tostring(pcall(cjson.decode, '[[[[[[1]]]]]]')), tostring(pcall(cjson.encode, 0/0)), tostring(pcall(cjson.decode, '[nan]'))}`
    const before = await world.bare.command('EVAL', probe, 0)
    const names = await world.bare.command(
      'EVAL',
      `local t = {} for k, v in pairs(cjson) do if type(v) == 'function' then t[#t + 1] = k end end return t`,
      0,
    )
    const setters = [...names.matchAll(/\r\n(\w+)\r\n/g)].map(([, name]) => name).filter((name) => name.includes('_'))
    expect(setters.length).toBeGreaterThanOrEqual(7)
    for (const setter of setters) {
      for (const how of [
        `cjson.${setter}`,
        `cjson['${setter}']`,
        `_G.cjson.${setter}`,
        `loadstring('return cjson')().${setter}`,
        `cjson.new().${setter}`,
      ]) {
        for (const args of ['1', 'true', '3, 1, 1', `'on'`, 'false']) await world.run(`return {pcall(${how}, ${args})}`)
      }
      expect(await world.run(`return cjson.${setter}(1)`)).toContain('is not available')
      expect(await world.bare.command('EVAL', probe, 0), setter).toBe(before)
    }
    expect(await world.run(`return collectgarbage('stop')`)).toContain("invalid option 'stop'")
    expect(await world.run(`return {_G.collectgarbage('setpause', 1)}`)).toContain("invalid option 'setpause'")
  })
})
