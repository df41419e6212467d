import { describe, expect, test } from 'vitest'
import { readScript } from '../../../../src/keyspace/scripting/script-facts.ts'

const facts = (text: string) => readScript(Buffer.from(text))

/** The text with parentheses where the facts put them. */
function parenthesized(text: string): string {
  let out = ''
  let from = 0
  for (const [start, end] of facts(text).tailCalls) {
    out += `${text.slice(from, start)}(${text.slice(start, end)})`
    from = end
  }
  return out + text.slice(from)
}

describe('which commands a script can call', () => {
  test.each([
    `return redis.call('GET', KEYS[1])`,
    `local ok, e = pcall(redis.call, 'GET', KEYS[1])`,
    `local rcall = redis.call\nrcall("SET", KEYS[1], 1) return rcall('GET', KEYS[1])`,
    `local rcall = redis.call local x = pcall(rcall, 'GET', 'x')`,
    `redis.call 'PING' redis.call() t.redis.call(x)`,
    `local call, x = 1, 2 return redis.pcall('GET', call)`,
    `local t = {redis = 1}`.replace('redis', 'other'),
  ])('they are in %j', (text) => {
    expect(facts(text)).toMatchObject({ computed: false, whole: false })
  })

  test.each([
    'return redis.call(ARGV[1], KEYS[1])',
    `return redis.call('G'..'ET', KEYS[1])`,
    `return redis.call(('GET'), KEYS[1])`,
    `return redis.call('G\\69T', KEYS[1])`,
    'return redis.call([[GET]], KEYS[1])',
    'return redis.call(unpack(ARGV))',
    'redis.call{}',
    `local c = redis.call c(x, 'y')`,
    `local c = redis.call local d = c d(x)`,
    `local c = redis.call c = print c('GET', x)`,
    'local c, d = redis.call, 1 c(d)',
    'c(redis.call)',
    'pcall(redis.call, x)',
    `local pcall = f pcall(redis.call, 'GET', x)`,
    `local function pcall(c) return c('G'..'ET') end pcall(redis.call, 'GET')`,
    `local t = {redis.call} t[1]('G'..'ET')`,
    `return redis['call']('GET', x)`,
    'local r = redis',
    'return _G',
    'return load(f)',
    'return loadstring(s)',
    'return getfenv(1)',
    `return server.call('GET', 'x')`,
  ])('they are not all in %j', (text) => {
    expect(facts(text).computed).toBe(true)
  })

  test.each([
    'redis.call = f',
    'redis.x = 1',
    'function redis.call() end',
    'local redis = f()',
    'f(redis)',
    '_G.x = 1',
  ])('%j uses redis as a whole', (text) => expect(facts(text).whole).toBe(true))

  test('a text that ends too early may do anything', () => {
    const { whole, computed, cjson, names } = facts(`return "x`)
    expect([whole, computed, cjson, names.has('_G')]).toEqual([true, true, true, true])
  })
})

describe('cjson', () => {
  test.each([
    'return cjson.encode({1})',
    'local d = cjson.decode d(x)',
    'return cjson.null',
    'x.cjson.encode_max_depth(1)',
  ])('%j changes no setting', (text) => expect(facts(text).cjson).toBe(false))
  test.each([
    'cjson.encode_max_depth(1)',
    'local c = cjson',
    `cjson['x'](1)`,
    'f(cjson)',
    'cjson.encode = 1',
    'cjson.new()',
  ])('%j may change one', (text) => expect(facts(text).cjson).toBe(true))
})

describe('what a script may raise', () => {
  test.each([
    `error('x')`,
    `error 'x'`,
    `error "x\\n" return`,
    `error [[x]]`,
    `error('x', 2)`,
    `error('x' .. y)`,
    `error('x: ' .. y .. [[ z]])`,
    `if x then return error('x') end`,
    `x.error({})`,
    `x:error({})`,
    `pcall(f, {})`,
    `return 'error({})' --error({})`,
  ])('%j a text', (text) => expect(facts(text).errors).toBe(false))

  test.each([
    'error(x)',
    'error({})',
    'error {}',
    'error()',
    `error('x' and {})`,
    `error('x' .. y or {})`,
    `error('x' .. y == z and {})`,
    `error('x' .. y(z))`,
    `error('x', x)`,
    'pcall(error, {})',
    'local e = error',
    'return error',
    '_G.x({})',
    `loadstring('x')`,
    `load(f)`,
    `error('x' .. y) setmetatable(y, z)`,
    `error('x' .. y) getmetatable(y).z = 1`,
    `error('x`,
  ])('%j anything', (text) => expect(facts(text).errors).toBe(true))

  test.each([
    ['local x = {} return error(x)', 'local x = {} return (error(x))'],
    ['return error(x, 2) ;', 'return (error(x, 2)) ;'],
    ['error(x) return error', 'error(x) return error'],
    [`return error('x')`, `return error('x')`],
    ['return error(x) or 1', 'return error(x) or 1'],
    ['local error = f return error(x)', 'local error = f return error(x)'],
    [
      'local function error() return 1, 2 end return error(x)',
      'local function error() return 1, 2 end return error(x)',
    ],
    ['return function(error) return error(x) end', 'return function(error) return error(x) end'],
    ['for error in f do return error(x) end', 'for error in f do return error(x) end'],
  ])('%j as a tail call', (text, expected) => expect(parenthesized(text)).toBe(expected))
})

describe('the generator of numbers of chance', () => {
  test.each(['math.random()', 'math.floor(x)', 'x.math.randomseed(1)', 'randomseed(1)'])('%j does not set it', (text) =>
    expect(facts(text).seeds).toBe(false),
  )
  test.each([`math.randomseed(1)`, `math['randomseed'](1)`, 'local m = math', 'f(math)', '_G.x()', 'load(f)'])(
    '%j may set it',
    (text) => expect(facts(text).seeds).toBe(true),
  )
})

describe('tail calls', () => {
  test.each([
    [`return redis.call('GET', x)`, `return (redis.call('GET', x))`],
    [`return redis.call('PING');`, `return (redis.call('PING'));`],
    [`return redis . call ( 'GET', f(')') ) -- )`, `return (redis . call ( 'GET', f(')') )) -- )`],
    [
      `if x then return redis.call('A') else return redis.call('B') end`,
      `if x then return (redis.call('A')) else return (redis.call('B')) end`,
    ],
    [`repeat return redis.call 'PING' until x`, `repeat return (redis.call 'PING') until x`],
    [`local c = redis.call\nreturn c('GET', x)`, `local c = redis.call\nreturn (c('GET', x))`],
    ['return\nredis.call(\n)', 'return\n(redis.call(\n))'],
  ])('%j', (text, expected) => expect(parenthesized(text)).toBe(expected))

  test.each([
    `return redis.call('GET', x) or 1`,
    `return redis.call('GET', x)[1]`,
    `return redis.call('GET', x), 1`,
    `return 1, redis.call('GET', x)`,
    `return redis.call('GET', x) .. ''`,
    `return redis.call('GET', x):len()`,
    `return redis.call('GET', x) 'y'`,
    `return x.redis.call('GET')`,
    `local redis = f() return redis.call('GET')`,
    `function f(redis) return redis.call('GET') end`,
    `redis.call, x = f, 1 return redis.call('GET')`,
    `local c = redis.call c = f return c('GET')`,
    `local c = redis.call return function(c) return c('GET') end`,
    `for c in f do local c = redis.call return c('x') end`,
    `return 'return redis.call()'`,
    `--return redis.call('x')`,
    `return redis.call('GET'`,
  ])('%j is left alone', (text) => expect(parenthesized(text)).toBe(text))
})
