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
    expect(lines[2]).toBe("keyward_register('f', function() end)")
    expect(originalLibrary(sent)?.toString()).toBe(code)
  })

  it('is left alone where it does not register', () => {
    for (const body of [
      '-- redis.register_function',
      "local s = 'redis.register_function'",
      '--[[ redis.register_function ]]',
      'local t = x.redis.register_function',
      'local f = y:redis.register_function',
      'redis.register_functions()',
      'myredis.register_function()',
    ]) {
      const { code } = scoped(`#!lua name=lib\n${body}`)
      expect(code.toString().split('\n')[1], body).toMatch(/^--\[\[keyward 1 0 \w+ [0-9a-f]+\]\] /)
      expect(code.toString().endsWith(body), body).toBe(true)
    }
  })

  it('registers by a name that it does not use itself', () => {
    const code =
      '#!lua name=lib\nlocal keyward_register, keyward_register2 = 1 redis.register_function() server.register_function()'
    const { code: sent } = scoped(code)
    expect(sent.toString()).toMatch(/ = 1 keyward_register3\(\) keyward_register3_\(\)$/)
    expect(originalLibrary(sent)?.toString()).toBe(code)
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
