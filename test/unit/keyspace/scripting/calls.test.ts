import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { request } from '../../../helpers/raw-client.ts'
import { servers, tenantWith, World } from './world.ts'

/** Data in both databases before each script: the tenant's, with the prefix, and the bare one. */
const DATA = `SET a x|SET n 1|RPUSH l 2 1|ZADD z 1 m 2 o|SADD s p q|HSET h f v|XADD x 1-1 f v|XGROUP CREATE x g 0|SET weird 1 PX 100000`

/** Each answers the same, byte for byte, as without a prologue; KEYS are a and n, ARGV is v1. */
const SAME: readonly string[] = [
  // What a script is given.
  'return {#KEYS, KEYS[1], KEYS[2], KEYS[3], #ARGV, ARGV[1], ARGV[2]}',
  `KEYS[1] = 'l' KEYS[3] = 'z' return {KEYS[1], redis.call('TYPE', KEYS[1]), redis.call('TYPE', KEYS[3])}`,
  `ARGV[2] = 'w' return ARGV`,
  '',
  '   ',
  '-- nothing',
  'return 1',
  // Commands in all the ways of writing them.
  `return redis.call('GET', KEYS[1])`,
  `return redis.call("get", 'a')`,
  `return redis.call('gEt', 'a')`,
  `return redis.call [[PING]]`,
  `return redis.call 'PING'`,
  `local name = 'GE' return redis.call(name .. 'T', 'a')`,
  `local c = redis.call return c('GET', 'a')`,
  `local c, d = redis.call, redis.pcall return {c('GET', 'a'), d('GET', 'a')}`,
  `local r = redis return r.call('GET', 'a')`,
  `return redis['call']('GET', 'a')`,
  `for _, n in ipairs({'GET', 'STRLEN', 'TTL', 'EXISTS', 'gEtRaNgE'}) do redis.pcall(n, 'a') end return 1`,
  `return loadstring("return redis.call('GET', KEYS[1])")()`,
  `local parts = {'return redis.', 'call("GET", "a")'} local i = 0 return load(function() i = i + 1 return parts[i] end)()`,
  `return {_G.redis.call('GET', 'a'), _G.KEYS[2], _G.ARGV[1], _G.tostring(1), type(_G._G)}`,
  `return {pcall(redis.call, 'GET', 'a')}`,
  `return coroutine.wrap(function() return redis.call('GET', 'a') end)()`,
  `return select('#', redis.call('GET', 'nothing'))`,
  // Numbers as keys.
  `redis.call('SET', 5, 'five') redis.call('SET', 1.5, 'x') redis.call('SET', 1e20, 'y') redis.call('SET', 0, 'zero')
   redis.call('SET', -3, 'm') redis.call('SET', 2^53, 'b') redis.call('SET', 0.1, 't') redis.call('SET', 123456789012345678, 'l')
   return {redis.call('GET', '5'), redis.call('GET', '1.5'), redis.call('GET', 1e20), redis.call('GET', '0'), redis.call('GET', '-3'),
   redis.call('GET', '9007199254740992'), redis.call('GET', 0.1), redis.call('GET', 123456789012345678), redis.call('MGET', 5, '0')}`,
  // Keys of any bytes.
  `redis.call('SET', 'nul\\0key', '1') redis.call('SET', 'cr\\r\\nlf', '2') redis.call('SET', '', '3')
   return {redis.call('GET', 'nul\\0key'), redis.call('GET', 'cr\\r\\nlf'), redis.call('GET', ''), redis.call('EXISTS', 'nul', '')}`,
  // More than one key, and none.
  `return redis.call('MGET', 'a', 'n', 'nothing')`,
  `return {redis.call('DEL', 'a'), redis.call('DEL', 'n', 'l'), redis.call('UNLINK', unpack({'z', 's', 'h'}))}`,
  `redis.call('MSET', 'q', 1, 'r', 2) return redis.call('MGET', 'q', 'r')`,
  `redis.call('RENAME', 'a', 'b') return {redis.call('EXISTS', 'a'), redis.call('GET', 'b')}`,
  `return {redis.call('ZUNIONSTORE', 'u', 2, 'z', 's'), redis.call('ZRANGE', 'u', 0, -1, 'WITHSCORES')}`,
  `return redis.call('ZDIFF', 2, 'z', 's')`,
  `return {redis.call('SINTERCARD', '2', 's', 's'), redis.call('BITOP', 'AND', 'd', 'a', 'n'), redis.call('STRLEN', 'd')}`,
  `return {redis.call('SORT', 'l'), redis.call('SORT', 'l', 'BY', 'nosort', 'STORE', 't'), redis.call('LRANGE', 't', 0, -1)}`,
  `redis.call('GEOADD', 'geo', 13, 38, 'p') return {redis.call('GEORADIUS', 'geo', 13, 38, 9, 'km', 'STORE', 't'), redis.call('ZCARD', 't')}`,
  `return {redis.call('COPY', 'a', 'b'), redis.call('COPY', 'a', 'b'), redis.call('COPY', 'l', 'b', 'REPLACE'), redis.call('TYPE', 'b')}`,
  `return {redis.call('OBJECT', 'ENCODING', 'n'), redis.call('object', 'refcount', 'l')}`,
  `return #redis.call('XINFO', 'STREAM', 'x') > 2`,
  `return {redis.call('PING'), redis.call('PING', 'hi'), redis.call('ECHO', 3), redis.call('TIME')[3]}`,
  `return redis.call('PUBLISH', 'channel', 'm')`,
  `local t = {} for i = 1, 6000 do t[i] = 'k' .. i end return redis.call('EXISTS', unpack(t))`,
  `local t = {} for i = 1, 7500 do t[i] = 'k' .. i end return redis.call('EXISTS', unpack(t))`,
  // Keys in replies.
  `return redis.call('LMPOP', 2, 'nothing', 'l', 'LEFT')`,
  `return {redis.call('ZMPOP', 1, 'z', 'MAX'), redis.call('ZMPOP', 1, 'nothing', 'MAX')}`,
  `return redis.call('XREAD', 'COUNT', 1, 'STREAMS', 'x', 'y', '0', '0')`,
  `return redis.call('XREADGROUP', 'GROUP', 'g', 'STREAMS', 'STREAMS', 'x', '>')`,
  `redis.setresp(3) local r = redis.call('XREAD', 'STREAMS', 'x', '0') return r.map and next(r.map)`,
  `redis.setresp(3) return redis.call('HGETALL', 'h').map.f`,
  // Errors: of Redis, of Lua, at their lines.
  `return redis.call('nope')`,
  `return redis.call('nope', 'a')`,
  `return redis.call('nope', {})`,
  `return redis.call()`,
  `return redis.pcall()`,
  `return redis.call(nil, 'a')`,
  `return redis.call({}, 'a')`,
  `return redis.call('GET', nil)`,
  `return redis.call('GET', KEYS[3])`,
  `return redis.call('GET', true)`,
  `return redis.call('MGET', 'a', {})`,
  `return redis.call('GET', 'a', 'b')`,
  `return redis.call('LPUSH', 'a', 1)`,
  `\n\nreturn redis.call('LPUSH', 'a', 1)`,
  `local x = 1\nredis.call('LPUSH',\n'a', 1)\nreturn x`,
  `local function f()\n  return redis.call('LPUSH', 'a', 1)\nend\n\nreturn f()`,
  `local rcall = redis.call\n\n\nif true then return rcall('LPUSH', 'a', 1) end`,
  `local r = redis\nlocal x = r.call('LPUSH', 'a', 1)\nreturn x`,
  `local f = loadstring("local x\\nx = redis.call('LPUSH', 'a', 1) return x")\nlocal x = f()\nreturn x`,
  `return {pcall(redis.call, 'LPUSH', 'a', 1)}`,
  `local ok, e = pcall(function() return redis.call('LPUSH', 'a', 1) end) return {type(e), e}`,
  `local ok, e = pcall(redis.call, 'LPUSH', 'a', 1)\nerror(e)`,
  `local e = redis.pcall('LPUSH', 'a', 1) return {type(e), e.err}`,
  `return redis.pcall('LPUSH', 'a', 1)`,
  `local e = redis.pcall('LPUSH', 'a', 1)\nerror(e)`,
  `local _, e = xpcall(function() redis.call('LPUSH', 'a', 1) end, function(e) return e end) return {type(e), e.err}`,
  `for i = 1, 3 do pcall(redis.call, 'LPUSH', 'a', 1) end return redis.call('GET', 'a')`,
  `local c = coroutine.create(function() redis.call('LPUSH', 'a', 1) end) local ok, e = coroutine.resume(c) return e.err`,
  `return redis.pcall('XGROUP', 'SETID', 'x', 'nobody', '0')`,
  `return redis.pcall('XREADGROUP', 'GROUP', 'nobody', 'c', 'STREAMS', 'x', '>')`,
  `return redis.pcall('XPENDING', 'x', "' for key name '", '-', '+', 1)`,
  `return redis.pcall('XGROUP', 'DELCONSUMER', 'x', "' for key name 'acme:", 'c')`,
  `return redis.call('SUBSCRIBE', 'c')`,
  `return redis.call('CLIENT', 'ID')`,
  `return redis.call('EVAL', 'return 1', 0)`,
  `return redis.call('CONFIG', 'GET', '*')`,
  `return redis.call('SELECT', 'x')`,
  `return redis.call('SORT', 'l', 'LIMIT', 1)`,
  `return redis.call('COPY', 'a', 'b', 'what')`,
  `return redis.call('COPY', 'a')`,
  `return redis.call('MOVE', 'a', 'x')`,
  `error('mine')`,
  `\n\nerror('mine', 0)`,
  `error({err = 'MINE and so on'})`,
  `return redis.error_reply('MINE')`,
  `return redis.status_reply('MINE')`,
  `return {err = 'MINE'}`,
  `local x = nil\nreturn x.y`,
  `return nothing`,
  `nothing = 1`,
  'return _G.nothing',
  `_G.nothing = 1`,
  `redis.nothing = 1`,
  'redis.call = 1',
  `redis.log(1)`,
  `redis.setresp(9)`,
  `return redis.acl_check_cmd('nope')`,
  `return redis.acl_check_cmd()`,
  `return {redis.acl_check_cmd('GET', 'a'), redis.acl_check_cmd('MGET', 'a', 'b'), redis.acl_check_cmd('SELECT', 0)}`,
  `return redis.call('GET'`,
  `return )`,
  `return "a`,
  `x = = 1\n`,
  // Libraries, and what is left of the rest.
  `return cjson.encode({1, 'a', false, cjson.null})`,
  `local j = cjson return {j.encode(j.decode('[1,{"a":null}]')), type(j.encode_max_depth), j._NAME}`,
  `return cmsgpack.unpack(cmsgpack.pack('x'))`,
  `return {struct.unpack('>I2', struct.pack('>I2', 258))}`,
  `return {bit.band(7, 3), redis.sha1hex('a'), string.format('%5.1f', 3.14159), #tostring(math.random())}`,
  `return {redis.LOG_DEBUG, redis.LOG_WARNING, redis.REPL_ALL, redis.nothing == nil, redis.breakpoint()}`,
  `redis.replicate_commands() redis.set_repl(redis.REPL_ALL) redis.log(redis.LOG_DEBUG, 'x') return 1`,
  `return {collectgarbage('count') > 1, collectgarbage('step'), collectgarbage()}`,
  `return {loadstring('return )')}`,
  `return {load(function() return {} end)}`,
  `return loadstring('return ...', 'name')(1, 2)`,
  `return {pcall(loadstring('local x = 1\\nerror("e")', '=mine'))}`,
  `local f = function(redis) return redis end return f(7)`,
  `local KEYS = {'l'} return redis.call('TYPE', KEYS[1])`,
  `local redis = {call = function() return 1, 2, 3 end} return {redis.call('x')}`,
  // How a text may begin.
  `(function() redis.call('SET', 'a', 'y') end)() return redis.call('GET', 'a')`,
  `#!lua\nreturn redis.call('GET', KEYS[1])`,
  `#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'x')`,
  `#!lua flags=no-writes\r\nreturn redis.call('GET', KEYS[1])`,
  `#!lua\n\nreturn redis.call('LPUSH', KEYS[1], 1)`,
  '#!lua',
  '#!python\nreturn 1',
  '#!lua flags=nope\nreturn 1',
  `# return 1`,
  `\r\n\r\nreturn redis.call('LPUSH', 'a', 1)`,
]

describe.each(await servers())('$kind $version', (server) => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ redis: server })
  })
  afterAll(() => world?.close())
  beforeEach(() => fill())

  async function fill(): Promise<void> {
    await world.flush()
    for (const row of DATA.split('|')) {
      const [name, first, ...rest] = row.split(' ')
      const inside = name === 'XGROUP' ? [first, `acme:${rest[0]}`, ...rest.slice(1)] : [`acme:${first}`, ...rest]
      await world.inside.exchange(request(name, ...inside))
      await world.bare.exchange(request(name, first, ...rest))
    }
  }

  /** Keys with their types and values; of streams, which hold times, their lengths. */
  async function state(side: 'inside' | 'bare'): Promise<string[]> {
    const script = `local out = {} for _, k in ipairs(redis.call('KEYS', '*')) do
      out[#out + 1] = k .. ' ' .. redis.call('TYPE', k).ok .. ' ' .. (redis.call('TYPE', k).ok == 'stream' and redis.call('XLEN', k) or redis.sha1hex(redis.call('DUMP', k)))
      end return out`
    const [reply] = await world[side].exchange(request('EVAL', script, 0))
    const lines = reply
      .toString('latin1')
      .split('\r\n')
      .filter((line) => !/^[*$]\d+$/.test(line))
    return lines.map((line) => (side === 'inside' ? line.replace(/^acme:/, '') : line)).sort()
  }

  test('replies, errors and data are those of the script without a prologue', async () => {
    const wrong: unknown[] = []
    for (const script of SAME) {
      const mine = await world.run(script, ['a', 'n'], ['v1'])
      const bare = await world.runBare(script, ['a', 'n'], ['v1'])
      if (mine !== bare) wrong.push({ script, mine, bare })
      const [here, there] = [await state('inside'), await state('bare')]
      if (here.join() !== there.join()) wrong.push({ script, here, there })
      await fill()
    }
    expect(wrong).toEqual([])
  })

  test('differences that are meant', async () => {
    const denied = / is not allowed from script /
    for (const name of ['KEYS', 'SCAN', 'RANDOMKEY', 'DBSIZE', 'FLUSHALL', 'FLUSHDB', 'INFO', 'WAIT', 'MULTI']) {
      expect(await world.run(`return redis.call('${name}', '0')`)).toMatch(denied)
    }
    for (const name of ['SWAPDB', 'LOLWUT', 'PFSELFTEST', 'BF.ADD', 'CL.THROTTLE', 'MODULE', 'MIGRATE', 'FUNCTION'])
      expect(await world.run(`return redis.call('${name}', '0', '1')`), name).toMatch(
        /(Unknown .*command called| not allowed) from script/,
      )
    const sort = 'option of SORT denied due to insufficient ACL permissions'
    expect(await world.run(`return redis.call('SORT', 'l', 'BY', 'w_*')`)).toContain(`-ERR BY ${sort}`)
    expect(await world.run(`return redis.call('SORT', 'l', 'GET', '#')`)).toContain(`-ERR GET ${sort}`)
    expect(await world.run('return getfenv')).toBe('$-1\r\n')
    expect(await world.run('return getfenv(1)')).toContain("nonexistent global variable 'getfenv'")
  })

  test('SELECT holds for the rest of a run, and no longer', async () => {
    const tenant = tenantWith({ databases: 3 })
    const run = (script: string, db = 0) => world.run(script, [], [], tenant, db)
    expect(
      await run(`redis.call('SET', 'k', 0) local r = redis.call('SELECT', 2) redis.call('SET', 'k', 2) return r`),
    ).toBe('+OK\r\n')
    expect(await run(`return redis.call('GET', 'k')`)).toBe('$1\r\n0\r\n')
    expect(await run(`return redis.call('GET', 'k')`, 2)).toBe('$1\r\n2\r\n')
    expect(await run(`redis.call('SELECT', '0') return redis.call('GET', 'k')`, 2)).toBe('$1\r\n0\r\n')
    expect(await run(`return redis.call('SELECT', 3)`)).toContain('-ERR DB index is out of range')
    expect(await run(`return redis.call('SELECT', -1)`)).toContain('-ERR DB index is out of range')
    expect(await world.inside.command('MGET', 'acme:0:k', 'acme:2:k')).toBe('*2\r\n$1\r\n0\r\n$1\r\n2\r\n')
    expect(await world.run(`return redis.call('SELECT', 1)`)).toContain('-ERR DB index is out of range')
    expect(await world.run(`return redis.call('SELECT', 0)`)).toBe('+OK\r\n')
  })

  test('COPY and MOVE reach the other databases of the tenant, and none else', async () => {
    const tenant = tenantWith({ databases: 3 })
    const run = (script: string, db = 0) => world.run(script, [], [], tenant, db)
    await run(`redis.call('SET', 'k', 'v')`)
    expect(
      await run(`return {redis.call('COPY', 'k', 'c', 'DB', '1'), redis.call('COPY', 'k', 'c', 'db', 1, 'REPLACE')}`),
    ).toBe('*2\r\n:1\r\n:1\r\n')
    expect(await run(`return {redis.call('MOVE', 'k', 2), redis.call('MOVE', 'k', 2)}`)).toBe('*2\r\n:1\r\n:0\r\n')
    expect(await run(`return redis.call('MOVE', 'k', 0)`)).toContain('-ERR source and destination objects are the same')
    expect(await run(`return redis.call('MOVE', 'k', 3)`)).toContain('-ERR DB index is out of range')
    expect(await run(`return redis.call('COPY', 'c', 'd', 'DB', '99')`, 1)).toContain('-ERR DB index is out of range')
    expect(await world.inside.command('MGET', 'acme:1:c', 'acme:2:k', 'acme:0:k')).toBe(
      '*3\r\n$1\r\nv\r\n$1\r\nv\r\n$-1\r\n',
    )
  })

  test('messages go to channels of the tenant', async () => {
    await world.bare.command('SUBSCRIBE', 'acme:news')
    expect(await world.run(`return redis.call('PUBLISH', 'news', 'hi')`, [], [], tenantWith({ databases: 2 }), 1)).toBe(
      ':1\r\n',
    )
    expect((await world.bare.reply()).toString()).toContain('$9\r\nacme:news\r\n$2\r\nhi\r\n')
    await world.bare.command('UNSUBSCRIBE')
  })

  test('a tenant with a near cache gives no expiry to fields', async () => {
    const script = `return redis.pcall('HEXPIRE', 'h', 100, 'FIELDS', 1, 'f')`
    expect(await world.run(script, [], [], tenantWith({ cache: {} as never }))).toMatch(
      /^-ERR Unknown .*command called/,
    )
  })
})
