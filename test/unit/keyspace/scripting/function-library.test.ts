import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  originalLibrary,
  type ScopedLibrary,
  scopeLibrary,
} from '../../../../src/keyspace/scripting/function-library.ts'
import { functionScope, withOwnNames } from '../../../../src/keyspace/scripting/function-names.ts'

const scope = functionScope('acme')

function scoped(code: string): ScopedLibrary {
  const library = scopeLibrary(Buffer.from(code, 'latin1'), scope)
  if (typeof library === 'string') throw new Error(library)
  return library
}

describe('names', () => {
  it('hold the tenant', () => {
    expect(functionScope('acme')).toBe('keyward_acme__')
    expect(functionScope('Acme_Corp-1')).toBe('keyward__acme_0_corp_11__')
  })

  it('of two tenants never meet, in upper or lower case', () => {
    const tenant = fc.stringMatching(/^[A-Ca-c0-1_-]{1,8}$/)
    const name = fc.stringMatching(/^[A-Ca-c0-1_]{1,8}$/)
    fc.assert(
      fc.property(tenant, name, tenant, name, (one, first, other, second) => {
        fc.pre(one !== other)
        const names = [functionScope(one) + first, functionScope(other) + second]
        expect(names[0]).toMatch(/^[A-Za-z0-9_]+$/)
        expect(names[0].toLowerCase()).not.toBe(names[1].toLowerCase())
        expect(functionScope(other).startsWith(functionScope(one))).toBe(false)
      }),
      { numRuns: 5_000 },
    )
  })

  it('go out of errors', () => {
    const line = Buffer.from('-ERR Function keyward_acme__f already exists in keyward_acme__lib\r\n')
    expect(withOwnNames(line, scope).toString()).toBe('-ERR Function f already exists in lib\r\n')
    const other = Buffer.from('-ERR keyward_beta__f\r\n')
    expect(withOwnNames(other, scope)).toBe(other)
  })
})

describe('a library', () => {
  it('keeps its lines, and says its name where the server looks for it', () => {
    const code = "#!lua  name=lib\n-- one\nredis.register_function('f', function() end)"
    const { name, scoped: raw, code: sent } = scoped(code)
    const lines = sent.toString().split('\n')
    expect([name, raw, lines.length, lines[0]]).toEqual(['lib', 'keyward_acme__lib', 3, '#!lua name=keyward_acme__lib'])
    expect(lines[1]).toMatch(/^--\[\[keyward 2 \d+ [0-9a-f]+\]\] local redis=.*;-- one$/)
    expect(lines[2]).toBe("redis.register_function('f', function() end)")
    expect(originalLibrary(sent)?.toString()).toBe(code)
  })

  it.each([
    ['', 'local redis='],
    ['_Gx, xload, LOAD, é_G1', 'local redis='],
    ['server', 'local redis,server='],
    ["é_G 'load'\n--loadstring", 'local redis,_G,load,loadstring='],
    ['server.getfenv setfenv', 'local redis,server,getfenv,setfenv='],
  ])('has no more variables in front of it than it has names for: %j', (body, start) => {
    const sent = scoped(`#!lua name=lib\n${body}`).code.toString('latin1')
    expect(sent.split('\n')[1].replace(/^--.*?\]\] /, '')).toMatch(new RegExp(`^${start}\\{`))
  })

  it('knows fields of Valkey where the server is one', () => {
    const of = (valkey: number) =>
      (scopeLibrary(Buffer.from('#!lua name=a\nSERVER_NAME'), scope, valkey) as ScopedLibrary).code
    expect([0, 7, 8, 9].map((valkey) => of(valkey).includes('SERVER_NAME='))).toEqual([false, false, true, true])
  })

  it('does not hold up everybody when it is full of names that Keyward might have taken', () => {
    let body = 'keyward_register'
    for (let n = 2; body.length < 1 << 20; n++) body += ` keyward_register${n}`
    const since = performance.now()
    expect(originalLibrary(scoped(`#!lua name=lib\n${body}`).code)?.length).toBeGreaterThan(1 << 20)
    // Two seconds and more, if each name is looked for in all of the text.
    expect(performance.now() - since).toBeLessThan(1000)
  })

  it('comes back as it was sent', () => {
    const word = fc.constantFrom(
      'redis.register_function',
      'server.register_function',
      'keyward_register',
      'redis',
      '.',
      ']]',
      '--',
      '[[',
      "'",
      '\n',
      ' ',
      '(',
      'é',
    )
    const head = fc.constantFrom('#!lua name=a', '#!LUA  "name=a"', "#!lua 'NAME=a' ", '#!lua name=a\r')
    fc.assert(
      fc.property(head, fc.array(word, { maxLength: 20 }), (first, words) => {
        const code = `${first}\n${words.join('')}`
        expect(originalLibrary(scoped(code).code)?.toString('latin1')).toBe(code)
      }),
      { numRuns: 5_000 },
    )
  })

  it('of somebody else is none', () => {
    for (const code of ['', 'x', '#!lua name=a\n', '#!lua name=a\nreturn 1'])
      expect(originalLibrary(Buffer.from(code)), code).toBeUndefined()
  })

  it.each([
    ['', 'ERR Missing library metadata'],
    ['#!lua name=a', 'ERR Invalid library metadata'],
    ['#!lua "name=a\n', 'ERR Invalid library metadata'],
    ['#!lua\n', 'ERR Library name was not given'],
    ['#!lua name=a name=b\n', 'ERR Invalid metadata value, name argument was given multiple times'],
    ['#!lua x name=a\n', 'ERR Invalid metadata value given: x'],
    ['#!js name=a\n', "ERR Engine 'js' not found"],
    ['#!js name=\n', /^ERR Library names can only contain/],
    ['#!lua name=a-b\n', /^ERR Library names can only contain/],
  ])('%j is refused', (code, error) => {
    const said = scopeLibrary(Buffer.from(code), scope)
    if (typeof error === 'string') expect(said).toBe(error)
    else expect(said).toMatch(error)
  })
})
