import { describe, expect, test } from 'vitest'
import { inlineRequest, splitInline } from '../../../src/resp/inline-request.ts'

/** The arguments of a line, or undefined when its quotes are unbalanced. */
function split(line: string): string[] | undefined {
  const bytes = Buffer.from(`"${line}"`, 'latin1')
  if (!splitInline(bytes, 1, bytes.length - 1)) return undefined
  const { buf, args, argc } = inlineRequest
  return Array.from({ length: argc }, (_, i) => buf.toString('latin1', args[2 * i], args[2 * i + 1]))
}

describe('a line is split as Redis splits it', () => {
  test.each<[string, string[] | undefined]>([
    ['', []],
    [' \t\v\f\r\n ', []],
    ['PING', ['PING']],
    ['  GET  k ', ['GET', 'k']],
    ['a\tb\rc\nd', ['a', 'b', 'c', 'd']],
    ['a\vb\fc', ['a\vb\fc']],
    ['\va', ['a']],
    ['"a b" \'c d\'', ['a b', 'c d']],
    ['""', ['']],
    ["'' x", ['', 'x']],
    ['a"b c"', ['ab c']],
    ['a"b"c', undefined],
    ['"a""b"', undefined],
    ['"a"\vb', ['a', 'b']],
    ['"', undefined],
    ["'", undefined],
    ['a"', undefined],
    ['"a\\"', undefined],
    ['"a\\', undefined],
    ['"\\x41\\x4a\\x00\\xfF"', ['AJ\0\xff']],
    ['"\\x4"', ['x4']],
    ['"\\x4g"', ['x4g']],
    ['"\\xg4"', ['xg4']],
    ['"\\X41"', ['X41']],
    ['"\\n\\r\\t\\b\\a\\q\\\\\\""', ['\n\r\t\b\x07q\\"']],
    ["'\\n\\''", ["\\n'"]],
    ["'\\\\'", undefined],
    ["'\\\\ '", ['\\\\ ']],
    ["'a\\'", undefined],
    ["'\\x41'", ['\\x41']],
    ['a\\ b\\x41', ['a\\', 'b\\x41']],
    ['\xff\xa0\x85', ['\xff\xa0\x85']],
  ])('%j', (line, args) => {
    expect(split(line)).toEqual(args)
  })
})

test('the frame is canonical', () => {
  expect(split(`SET ${'k'.repeat(100)} "" x`)).toHaveLength(4)
  const { buf, start, end } = inlineRequest
  expect(buf.toString('latin1', start, end)).toBe(
    `*4\r\n$3\r\nSET\r\n$100\r\n${'k'.repeat(100)}\r\n$0\r\n\r\n$1\r\nx\r\n`,
  )
})

test('the most arguments that a line can hold', () => {
  const one = 'a '.repeat(32_768)
  expect(split(one)).toHaveLength(32_768)
  expect(split('x')).toEqual(['x'])
  const quoted = '"" '.repeat(21_845)
  expect(split(quoted)).toHaveLength(21_845)
  expect(split('x')).toEqual(['x'])
})
