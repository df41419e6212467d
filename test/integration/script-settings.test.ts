import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What a tenant does to the Lua that all scripts of a server share is nothing to another tenant. */

let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient
let operator: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
  operator = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  for (const client of [acme, beta, operator]) client?.destroy()
  keyward?.stop()
  await redis?.stop()
})

/** Says what the settings of cjson and of strings make of values. */
const PROBE = `
local function say(f, ...)
  local ok, v = pcall(f, ...)
  return tostring(ok)..' '..tostring(type(v) == 'table' and #v or v)
end
local deep, text = 'x', '1'
for i = 1, 20 do deep = {deep} end
for i = 1, 20 do text = '['..text..']' end
return {
  say(cjson.encode, 3.14159265358979), say(cjson.encode, {[1] = 1, [50] = 2}), say(cjson.encode, deep),
  say(cjson.encode, 0/0), say(cjson.encode, 1/0), say(cjson.decode, text), say(cjson.decode, '[nan, 0x10, -infinity]'),
  say(cjson.encode, ('x'):rep(100)), say(cjson.decode, '[[1,2],[]]'), say(cjson.encode, {}),
  ('abc'):upper(), tostring(getmetatable('').__index == string), tostring(('x').left), string.format('%5.2f', 1.005)
}`

const ATTEMPTS: readonly string[] = [
  ...[
    'encode_max_depth(3)',
    'decode_max_depth(3)',
    'encode_sparse_array(true, 1, 1)',
    'encode_number_precision(3)',
  ].flatMap(ways),
  ...["encode_keep_buffer('off')", "encode_invalid_numbers('null')", "decode_invalid_numbers('off')"].flatMap(ways),
  'decode_array_with_array_mt(true)',
  "collectgarbage('stop')",
  "collectgarbage('setpause', 1000)",
  "_G.collectgarbage('setstepmul', 1)",
  "loadstring([[collectgarbage('stop')]])()",
  "getmetatable('').__index = function() return 'CANARY' end",
  "getmetatable('').__index.left = 'CANARY'",
  "getmetatable('').__add = function() return 'CANARY' end",
  "string.upper = function() return 'CANARY' end",
  "setmetatable(string, {__index = function() return 'CANARY' end})",
  "rawset(string, 'left', 'CANARY')",
  "table.insert(string, 'CANARY')",
  'string.format = nil',
  'math.random = function() return 4 end',
  'cjson.encode = cjson.decode',
  "rawset(cjson, 'encode', tostring)",
  'setmetatable(cjson, {__index = function() end})',
  'cjson.null = 7',
  'redis.setresp(3)',
  'redis.set_repl(redis.REPL_NONE)',
]

/** A setting of cjson in all the ways in which a script can reach it. */
function ways(call: string): string[] {
  const [, name, args] = /^(\w+)(\(.*)$/.exec(call) as RegExpExecArray
  return [
    `cjson.${call}`,
    `local c = cjson c['${name}']${args}`,
    `_G.cjson.${call}`,
    `loadstring("cjson['${name}']" .. [[${args}]])()`,
    `cjson.new().${call}`,
    `local f = cjson.${name} f${args}`,
  ]
}

const run = (client: RawClient, lua: string) => client.command('EVAL', lua, 0)

describe('settings of the Lua that is shared', () => {
  let fresh: string

  beforeAll(async () => {
    fresh = await run(operator, PROBE)
    expect(fresh).toContain('false ')
    expect(await run(beta, PROBE)).toBe(fresh)
  })

  it.each(ATTEMPTS)('%s', async (attempt) => {
    // Each alone, and a reply to show that pcall does not help.
    await run(acme, `${attempt} return 'left'`)
    await run(acme, `return {pcall(function() ${attempt} end)}`)
    await acme.command('MULTI')
    await run(acme, `${attempt} return 'left'`)
    await acme.command('EXEC')
    expect(await run(beta, PROBE)).toBe(fresh)
    expect(await run(operator, PROBE)).toBe(fresh)
    // It may be for itself, in that one run, at most.
    expect(await run(acme, PROBE)).toBe(fresh)
  })

  it('would show in the probe, if a script could', async () => {
    const shown: string[] = []
    for (const setter of [
      'encode_max_depth(3)',
      'decode_max_depth(3)',
      'encode_sparse_array(true, 1, 1)',
      'encode_number_precision(3)',
      "encode_invalid_numbers('null')",
      "decode_invalid_numbers('off')",
    ]) {
      await run(operator, `cjson.${setter}`)
      if ((await run(beta, PROBE)) !== fresh) shown.push(setter)
      await operator.command('SCRIPT', 'FLUSH')
      expect(await run(beta, PROBE)).toBe(fresh)
    }
    expect(shown).toHaveLength(6)
  })

  // math.random has one state for all scripts of a server, in every version.
  it('whose numbers of chance another tenant does not set', async () => {
    const drawn = new Set<string>()
    for (let i = 0; i < 5; i++) {
      await run(acme, 'math.randomseed(42)')
      drawn.add(await run(beta, 'return {math.random(1000000), math.random(1000000)}'))
    }
    expect(drawn.size).toBe(5)
  })

  it('leaves the collector of garbage running', async () => {
    await run(acme, `collectgarbage('stop')`)
    const used = async () =>
      Number(
        (await redis.info('memory')).get('used_memory_vm_eval') ?? (await redis.info('memory')).get('used_memory_lua'),
      )
    const before = await used()
    for (let i = 0; i < 200; i++) await run(acme, `local t = {} for i = 1, 2000 do t[i] = {} end return ${i}`)
    // 200 times 2,000 tables would be some 25 MB.
    expect((await used()) - before).toBeLessThan(10_000_000)
  })
})
