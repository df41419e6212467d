import { describe, expect, test } from 'vitest'
import { globMatches } from '../../../src/lib/glob.ts'

const matches = (pattern: string, text: string, ignoreCase?: boolean) =>
  globMatches(Buffer.from(pattern, 'latin1'), Buffer.from(text, 'latin1'), ignoreCase)

describe('as Redis matches', () => {
  // Pattern, texts that match, texts that do not.
  const rows: [string, string[], string[]][] = [
    ['', [''], ['a']],
    ['abc', ['abc'], ['ab', 'abcd', 'xabc', '']],
    ['*', ['a', 'abc'], ['']],
    ['**', ['a'], ['']],
    ['a*', ['a', 'abc'], ['ba', '']],
    ['a**', ['a', 'ab'], ['b']],
    ['*c', ['c', 'abc', 'cc'], ['cd']],
    ['a*c*e', ['ace', 'abcde', 'acce'], ['aec', 'acd']],
    ['*ab*ab', ['abab', 'aabab', 'ababab', 'abxab'], ['ab', 'aba']],
    ['?', ['a', '*'], ['', 'ab']],
    ['a?c', ['abc', 'a?c'], ['ac', 'abbc']],
    ['*?', ['a', 'ab'], ['']],
    ['[abc]', ['a', 'c'], ['d', 'ab', '[abc]']],
    ['[^abc]', ['d', '^'], ['a', '']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
    ['[c-a]', ['a', 'b', 'c'], ['d', '-']],
    ['[a-]', ['a', '^', '_', '`', ']'], ['-', 'b']],
    ['[]', [], [']', '[]', '']],
    ['[^]', [']', 'x'], ['']],
    ['[^', ['a'], ['']],
    ['[ab', ['a', 'b'], ['c', '[ab']],
    ['[a\\]]', ['a', ']'], ['\\', 'a]']],
    ['[\\', ['\\'], ['[']],
    ['\\*', ['*'], ['a', '\\*']],
    ['\\[a]', ['[a]'], ['a']],
    ['a\\', ['a\\'], ['a']],
    ['[!a]', ['!', 'a'], ['b']],
    ['[\xff-a]', ['\xff', '\0', 'A', 'a'], ['\xfe', 'b']],
    ['[\x80-\xff]', ['\x80', '\xff'], ['a']],
    ['\xff*', ['\xff', '\xffa'], ['\xfe']],
  ]
  for (const [pattern, yes, no] of rows) {
    test(JSON.stringify(pattern), () => {
      expect(yes.filter((text) => !matches(pattern, text))).toEqual([])
      expect(no.filter((text) => matches(pattern, text))).toEqual([])
    })
  }
})

describe('without regard to case', () => {
  test('letters and classes match either case', () => {
    expect(matches('MAX*', 'maxmemory', true)).toBe(true)
    expect(matches('max*', 'MAXMEMORY', true)).toBe(true)
    expect(matches('[M-N]ax', 'max', true)).toBe(true)
    expect(matches('[M]ax', 'max', true)).toBe(true)
    expect(matches('MAX*', 'maxmemory')).toBe(false)
  })

  test('but not behind a backslash in brackets, nor across a range that mixes cases', () => {
    expect(matches('[\\M]ax', 'max', true)).toBe(false)
    expect(matches('\\Max', 'max', true)).toBe(true)
    expect(matches('[Z-a]dd', 'zdd', true)).toBe(false)
    expect(matches('[A-z]dd', 'zdd', true)).toBe(true)
  })
})

test('many stars take no more than the product of both lengths', () => {
  // A matcher that goes back to every star would not be done with the first of these in this life.
  const text = 'a'.repeat(2000)
  expect(matches(`${'a*'.repeat(40)}b`, text)).toBe(false)
  expect(matches(`${'*a'.repeat(500)}`, text)).toBe(true)
  expect(matches('*'.repeat(100_000), text)).toBe(true)
})
