import { expect, test } from 'vitest'
import { LuaTokens, TOKEN } from '../../../../src/keyspace/scripting/lua-tokens.ts'

function words(text: string): string[] {
  const tokens = new LuaTokens(Buffer.from(text, 'latin1'))
  return tokens.kind.map((_, i) => tokens.word(i))
}

test('names, numbers and symbols', () => {
  expect(words('local a_1=b.c:d(3,0x1F,.5e-3,1..2)')).toEqual([
    'local',
    'a_1',
    '=',
    'b',
    '.',
    'c',
    ':',
    'd',
    '(',
    '3',
    ',',
    '0x1F',
    ',',
    '.5e-3',
    ',',
    '1..2',
    ')',
  ])
  expect(words('a==b~=c<=d>=e...f..g=h<i')).toEqual([
    'a',
    '==',
    'b',
    '~=',
    'c',
    '<=',
    'd',
    '>=',
    'e',
    '...',
    'f',
    '..',
    'g',
    '=',
    'h',
    '<',
    'i',
  ])
  expect(words('a[b[1]]')).toEqual(['a', '[', 'b', '[', '1', ']', ']'])
})

test.each([
  ['-- all of it is a comment: return', []],
  ['a --b\nc', ['a', 'c']],
  ['a --b\rc', ['a', 'c']],
  ['a --[[ b\n ]] c', ['a', 'c']],
  ['a --[==[ b ]] ]=] \n ]==] c', ['a', 'c']],
  ['a --[= b\nc', ['a', 'c']],
  ['a --[[ b ]]--c', ['a']],
])('comments: %j', (text, expected) => {
  expect(words(text)).toEqual(expected)
})

test.each([
  [`'GET'`, 'GET', TOKEN.TEXT],
  [`"it's"`, "it's", TOKEN.TEXT],
  [`"--[["`, '--[[', TOKEN.TEXT],
  [`"a\\"b"`, `"a\\"b"`, TOKEN.STRING],
  [`'a\\\\'`, `'a\\\\'`, TOKEN.STRING],
  [`'a\\\nb'`, `'a\\\nb'`, TOKEN.STRING],
  [`'a\\\r\nb'`, `'a\\\r\nb'`, TOKEN.STRING],
  ['[[a\n]=]]', '[[a\n]=]]', TOKEN.STRING],
  ['[==[a]]]=]]==]', '[==[a]]]=]]==]', TOKEN.STRING],
])('strings: %j', (text, word, kind) => {
  const tokens = new LuaTokens(Buffer.from(text, 'latin1'))
  expect([tokens.count, tokens.word(0), tokens.kind[0], tokens.whole]).toEqual([1, word, kind, true])
})

test.each([`'a`, `'a\nb'`, `'a\\`, '[[a]', '[=[a]]', '--[[ a', '[=a', `'a\\\n\nb'`])('%j ends too early', (text) => {
  expect(new LuaTokens(Buffer.from(text, 'latin1')).whole).toBe(false)
})

test('what stands in a string or a comment is no name', () => {
  const tokens = new LuaTokens(Buffer.from(`x = "redis" -- redis\ny = [[redis]] z = 'a\\'redis'`))
  const names = tokens.kind.flatMap((kind, i) => (kind === TOKEN.NAME ? [tokens.word(i)] : []))
  expect(names).toEqual(['x', 'y', 'z'])
})
