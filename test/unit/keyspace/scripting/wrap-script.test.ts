import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scopeArgument } from '../../../../src/keyspace/scripting/scope.ts'
import { originalError, wrapScript } from '../../../../src/keyspace/scripting/wrap-script.ts'
import { NO_RULE, TABLE, tenantWith, World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await World.open()
})
afterAll(() => world?.close())

const sha1 = (text: Buffer) => createHash('sha1').update(text).digest('hex')
const wrap = (text: string, ttl = false) => wrapScript(Buffer.from(text), TABLE, { ttl })

test('the prologue stands in the first line of what Lua compiles, and the rest is as it was', () => {
  const text = `local x = 1\n  return redis.call('GET', KEYS[1]) -- é\r\n`
  const wrapped = wrap(text)
  expect(wrapped.text.toString('latin1').split('\n').length).toBe(3)
  const rest = Buffer.from(`local x = 1\n  return (redis.call('GET', KEYS[1])) -- é\r\n`)
  expect(wrapped.text.subarray(-rest.length)).toEqual(rest)
  expect([wrapped.sha, wrapped.original, wrapped.flagged]).toEqual([sha1(wrapped.text), sha1(Buffer.from(text)), false])
})

test('a #! line stays the first', () => {
  const wrapped = wrap(`#!lua flags=no-writes\nreturn 1`)
  expect(wrapped.text.toString().split('\n')[0]).toBe('#!lua flags=no-writes')
  expect(wrapped.text.toString().split('\n').length).toBe(2)
  expect(wrapped.flagged).toBe(true)
})

test('one text serves all tenants, and each of them in all databases', () => {
  expect(wrap('return KEYS').sha).toBe(wrap('return KEYS').sha)
  expect(wrap(`redis.call('SET', 'k', 1)`, true).sha).not.toBe(wrap(`redis.call('SET', 'k', 1)`).sha)
})

test('a name made at run time brings all commands along, else there are those in the text', () => {
  expect(wrap('return redis.call(ARGV[1])').text.includes('zunionstore')).toBe(true)
  const few = wrap(`return redis.call('GET', redis.call('hget', 'a', 'GET'))`).text.toString()
  expect([few.includes('zunionstore'), few.includes(`['GET']=1`), few.includes(`['hget']=1`)]).toEqual([
    false,
    true,
    true,
  ])
})

test('the scope argument', () => {
  const scope = (...args: Parameters<typeof scopeArgument>) => scopeArgument(...args).toString()
  expect(scope(tenantWith(), 0)).toBe('acme: acme: - -\n')
  expect(scope(tenantWith({ databases: 4, cache: {} as never }), 3)).toBe('acme:3: acme: 4 c\n')
  const ttl = [
    { ...NO_RULE, keys: 'a b*', default: 5, jitter: 0.25 },
    { ...NO_RULE, max: 9, min: 3, persist: 'deny' as const },
    { ...NO_RULE, keys: 'é?', dryRun: true },
    { ...NO_RULE, keys: 'one' },
  ]
  expect(scope(tenantWith({ ttl }), 0)).toBe(
    'acme: acme: - -\n5 - - 0.25 allow 0 starts 3:a b- 9 3 0 deny 0 all 0:- - - 0 allow 1 glob 3:é?- - - 0 allow 0 is 3:one',
  )
})

test('errors name the script by the SHA that its client knows', () => {
  const wrapped = wrap('return nothing')
  const line = Buffer.from(`-ERR x script: ${wrapped.sha}, on @user_script:1.\r\n`)
  expect(originalError(line, wrapped).toString()).toBe(`-ERR x script: ${wrapped.original}, on @user_script:1.\r\n`)
  const other = Buffer.from('-ERR other\r\n')
  expect(originalError(other, wrapped)).toBe(other)
})

test('a script may have one local fewer at its top, and a function one upvalue fewer', async () => {
  const locals = (count: number) =>
    `${Array.from({ length: count }, (_, i) => `local a${i} = ${i}`).join(' ')} return redis.call('PING')`
  expect(await world.run(locals(199))).toBe('+PONG\r\n')
  expect(await world.run(locals(200))).toContain('more than 200 local variables')
  const upvalues = (count: number) =>
    `local ${Array.from({ length: count }, (_, i) => `a${i}`).join(',')} = 1 return (function() redis.call('PING') return {${Array.from({ length: count }, (_, i) => `a${i}`).join(',')}} end)()`
  expect(await world.run(upvalues(59))).toBe('*1\r\n:1\r\n')
  expect(await world.run(upvalues(60))).toContain('more than 60 upvalues')
})

test('what redis.log writes is one line', async () => {
  const script = `redis.log(redis.LOG_WARNING, 'a\\n1:M forged\\r\\0\\127', 'b', 1) return 1`
  expect(await world.run(script)).toBe(':1\r\n')
  expect(wrap(script).text.includes('%c')).toBe(true)
})

test.each([
  ['calls', `local s = redis.call('GET', KEYS[1]) if s == '((((' then return redis.call('SET', '[[', ((1))) end\n`],
  ['parentheses that never close', 'return redis.call( '],
  ['names', 'local a0 = redis.call return a0(1) '],
  ['brackets that never close', '--[=[ ]]'],
  ['brackets in brackets', '[=[ ]==]=]'],
])('a long text takes time in proportion: %s', (_what, unit) => {
  const time = (count: number) => {
    let text = ''
    for (let i = 0; i < count; i++) text += unit.replaceAll('a0', `a${i}`)
    const start = performance.now()
    wrapScript(Buffer.from(text), TABLE, { ttl: false })
    return performance.now() - start
  }
  time(100)
  expect(time(8000)).toBeLessThan(1000 + 40 * time(800))
})
