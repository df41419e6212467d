import { describe, expect, test } from 'vitest'
import { decodeReply, encodeReply } from '../../../src/resp/reply-decoder.ts'
import { BadReply } from '../../../src/resp/reply-scanner.ts'
import type { Reply } from '../../../src/resp/types.ts'

const decode = (text: string) => decodeReply(Buffer.from(text, 'latin1'), 0, text.length)

/** A reply as something that is easy to write down: [type, text or items, attribute]. */
function brief(reply: Reply): unknown[] {
  const type = String.fromCharCode(reply.type)
  const content = reply.items?.map(brief) ?? reply.text?.toString('latin1')
  return reply.attribute === undefined ? [type, content] : [type, content, brief(reply.attribute)]
}

describe('decoding', () => {
  test.each<[string, unknown[]]>([
    ['+OK\r\n', ['+', 'OK']],
    ['-ERR a b\r\n', ['-', 'ERR a b']],
    [':-5\r\n', [':', '-5']],
    ['$3\r\na\r\n\r\n', ['$', 'a\r\n']],
    ['$0\r\n\r\n', ['$', '']],
    ['$-1\r\n', ['$', undefined]],
    ['*-1\r\n', ['*', undefined]],
    ['*0\r\n', ['*', []]],
    ['_\r\n', ['_', undefined]],
    ['#t\r\n', ['#', 't']],
    [',1.50\r\n', [',', '1.50']],
    ['(123\r\n', ['(', '123']],
    ['!3\r\nERR\r\n', ['!', 'ERR']],
    ['=5\r\ntxt:x\r\n', ['=', 'txt:x']],
    [
      '%1\r\n+k\r\n*1\r\n:1\r\n',
      [
        '%',
        [
          ['+', 'k'],
          ['*', [[':', '1']]],
        ],
      ],
    ],
    ['~1\r\n+a\r\n', ['~', [['+', 'a']]]],
    ['>1\r\n+a\r\n', ['>', [['+', 'a']]]],
    [
      '*1\r\n>1\r\n+p\r\n+a\r\n',
      [
        '*',
        [
          ['>', [['+', 'p']]],
          ['+', 'a'],
        ],
      ],
    ],
    [
      '|1\r\n+k\r\n+v\r\n+a\r\n',
      [
        '+',
        'a',
        [
          '|',
          [
            ['+', 'k'],
            ['+', 'v'],
          ],
        ],
      ],
    ],
    [
      '|0\r\n|1\r\n+k\r\n+v\r\n+a\r\n',
      [
        '+',
        'a',
        [
          '|',
          [
            ['+', 'k'],
            ['+', 'v'],
          ],
          ['|', []],
        ],
      ],
    ],
    ['*1\r\n|0\r\n+a\r\n', ['*', [['+', 'a', ['|', []]]]]],
  ])('%j', (text, expected) => {
    const reply = decode(text)
    expect(brief(reply)).toEqual(expected)
    expect(encodeReply(reply).toString('latin1')).toBe(text)
  })

  test('of a part of a buffer; texts are views of it', () => {
    const bytes = Buffer.from('??$3\r\nabc\r\n??')
    const reply = decodeReply(bytes, 2, 11)
    expect(reply.text?.buffer).toBe(bytes.buffer)
    expect(String(reply.text)).toBe('abc')
  })

  test.each([
    '',
    '+OK',
    '+OK\r',
    '$3\r\nab',
    '$3\r\nabc\r',
    '*2\r\n+a\r\n',
    '+OK\r\n+OK\r\n',
    '|0\r\n',
    '*1000000000000\r\n',
  ])('what is not exactly one reply is rejected: %j', (text) => {
    expect(() => decode(text)).toThrow(BadReply)
  })

  test('nothing behind the given end is read', () => {
    const bytes = Buffer.from('$3\r\nabc\r\n')
    for (let end = 0; end < bytes.length; end++) expect(() => decodeReply(bytes, 0, end)).toThrow(BadReply)
  })

  test('depth and rows of attributes are limited', () => {
    expect(encodeReply(decode(`${'*1\r\n'.repeat(128)}*0\r\n`)).length).toBe(129 * 4)
    expect(() => decode(`${'*1\r\n'.repeat(129)}+x\r\n`)).toThrow(BadReply)
    expect(() => decode(`${'*1\r\n'.repeat(10_000)}+x\r\n`)).toThrow(BadReply)
    expect(() => decode(`${'|0\r\n'.repeat(100_000)}+x\r\n`)).toThrow(BadReply)
  })
})

test('a changed reply is encoded with the lengths that it has now', () => {
  const reply = decode('*2\r\n$5\r\nacme:\r\n%1\r\n+k\r\n>1\r\n+p\r\n$1\r\nv\r\n')
  const items = reply.items as Reply[]
  items[0].text = Buffer.from('a')
  items[1].items?.push(...(decode('*2\r\n$-1\r\n_\r\n').items as Reply[]))
  items.push(decode(':12\r\n'))
  expect(encodeReply(reply).toString()).toBe('*3\r\n$1\r\na\r\n%2\r\n+k\r\n>1\r\n+p\r\n$1\r\nv\r\n$-1\r\n_\r\n:12\r\n')
})
