import { describe, expect, test } from 'vitest'
import { BadReply, ReplyScanner } from '../../../src/resp/reply-scanner.ts'

/** Where the first reply of a text ends: in one piece, and byte by byte. */
function end(text: string, maxDepth?: number): number {
  const bytes = Buffer.from(text, 'latin1')
  const whole = outcome(() => new ReplyScanner(maxDepth).scan(bytes, 0, bytes.length))
  const scanner = new ReplyScanner(maxDepth)
  const cut = outcome(() => {
    for (let pos = 0; pos < bytes.length; pos++) {
      const at = scanner.scan(bytes, pos, pos + 1)
      if (at >= 0) return at
    }
    return -1
  })
  expect(cut).toEqual(whole)
  if (whole instanceof Error) throw whole
  return whole
}

function outcome(run: () => number): number | Error {
  try {
    return run()
  } catch (error) {
    return error as Error
  }
}

describe('whole replies', () => {
  test.each([
    '+OK\r\n',
    '+\r\n',
    '-ERR no\r\n',
    ':0\r\n',
    ':-1\r\n',
    ':+7\r\n',
    ':9223372036854775807\r\n',
    ':-9223372036854775808\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    '$4\r\n\r\n\r\n\r\n',
    '$12\r\n$3\r\nfoo\r\nabc\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n$1\r\na\r\n:1\r\n',
    '*1\r\n*1\r\n*1\r\n*0\r\n',
    '*3\r\n$-1\r\n*-1\r\n_\r\n',
    '_\r\n',
    '#t\r\n',
    '#f\r\n',
    ',1.5\r\n',
    ',-1e-7\r\n',
    ',inf\r\n',
    ',-inf\r\n',
    ',nan\r\n',
    '(-12345678901234567890123456789\r\n',
    '!5\r\nERR x\r\n',
    '=7\r\ntxt:abc\r\n',
    '=4\r\ntxt:\r\n',
    '%0\r\n',
    '%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n',
    '~2\r\n+a\r\n+b\r\n',
    '>2\r\n+message\r\n$1\r\nx\r\n',
    '|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n',
    '|1\r\n+a\r\n+b\r\n|0\r\n*1\r\n+c\r\n',
    '*2\r\n|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n$1\r\nb\r\n',
    '*2\r\n>1\r\n+x\r\n$1\r\na\r\n>0\r\n>1\r\n*0\r\n$1\r\nb\r\n',
    '%1\r\n>1\r\n+x\r\n+k\r\n>1\r\n+x\r\n+v\r\n',
    '|1\r\n>1\r\n+x\r\n+k\r\n+v\r\n+y\r\n',
  ])('%j', (text) => {
    expect(end(text)).toBe(text.length)
    expect(end(`${text}+next\r\n`)).toBe(text.length)
    expect(end(`*1\r\n${text}`.replace('*1\r\n>', '*0\r\n>'))).toBe(text[0] === '>' ? 4 : text.length + 4)
    for (let cut = 1; cut < text.length; cut++) expect(end(text.slice(0, cut))).toBe(-1)
  })
})

describe('rubbish', () => {
  test.each([
    'x\r\n',
    '\r\n',
    'HTTP/1.1 400 Bad Request\r\n',
    '\0',
    '+a\nb\r\n',
    '+a\rb\r\n',
    ':\r\n',
    ':-\r\n',
    ':1.5\r\n',
    ': 1\r\n',
    ':12345678901234567890\r\n',
    '$\r\n',
    '$-\r\n',
    '$-2\r\n',
    '$-11\r\n',
    '$+1\r\n',
    '$01\r\n',
    '$1 \r\n',
    '$1x\r\n',
    '$?\r\n',
    '$3\r\nabcd\r\n',
    '$3\r\nab\r\n\r\n',
    '$3\r\nabc\n\r',
    '$3\nabc\r\n',
    '$1000000000000001\r\n',
    '$-1\rx',
    '*-2\r\n',
    '*x\r\n',
    '*00\r\n',
    '%-1\r\n',
    '~-1\r\n',
    '>-1\r\n',
    '|-1\r\n',
    '!-1\r\n',
    '=-1\r\n',
    '=3\r\ntxt\r\n',
    '_x\r\n',
    '#\r\n',
    '#x\r\n',
    '#tt\r\n',
    ',\r\n',
    ',1,5\r\n',
    '(\r\n',
    '(+\r\n',
    '(1.5\r\n',
    '*1\r\nx',
    '*2\r\n+a\r\n?',
  ])('%j', (text) => {
    expect(() => end(text)).toThrow(BadReply)
    expect(() => end(`*1\r\n${text}`)).toThrow(BadReply)
  })
})

describe('type, attributes and pushes', () => {
  function scanned(text: string): [string, boolean, boolean][] {
    const bytes = Buffer.from(text)
    const scanner = new ReplyScanner()
    const found: [string, boolean, boolean][] = []
    for (let pos = 0; pos < bytes.length; ) {
      pos = scanner.scan(bytes, pos, bytes.length)
      expect(scanner.idle).toBe(true)
      found.push([String.fromCharCode(scanner.type), scanner.attributes, scanner.pushes])
    }
    return found
  }

  test('are those of the last reply', () => {
    expect(
      scanned('*1\r\n>1\r\n+x\r\n+a\r\n|1\r\n+a\r\n:1\r\n$1\r\nx\r\n+OK\r\n>1\r\n+p\r\n%0\r\n-ERR x\r\n_\r\n'),
    ).toEqual([
      ['*', false, true],
      ['$', true, false],
      ['+', false, false],
      ['>', false, false],
      ['%', false, false],
      ['-', false, false],
      ['_', false, false],
    ])
  })

  test('an attribute inside is not one in front', () => {
    expect(scanned('*1\r\n|1\r\n+a\r\n:1\r\n+b\r\n')).toEqual([['*', false, false]])
  })
})

describe('limits', () => {
  const nested = (depth: number) => `${'*1\r\n'.repeat(depth)}+x\r\n`

  test('depth', () => {
    expect(end(nested(10_000))).toBe(10_000 * 4 + 4)
    expect(() => end(nested(10_001))).toThrow(BadReply)
    expect(end(nested(3), 3)).toBe(3 * 4 + 4)
    expect(() => end(nested(4), 3)).toThrow(BadReply)
    expect(() => end('|1\r\n'.repeat(100_000))).toThrow(BadReply)
  })

  test('room for a deep reply is given back', () => {
    const scanner = new ReplyScanner()
    const deep = Buffer.from(nested(10_000))
    for (let i = 0; i < 2; i++) {
      expect(scanner.scan(deep, 0, deep.length - 1)).toBe(-1)
      expect(scanner).toMatchObject({ counts: { length: 10_000 }, types: { length: 10_000 } })
      expect(scanner.scan(deep, deep.length - 1, deep.length)).toBe(deep.length)
      expect(scanner).toMatchObject({ counts: { length: 128 }, types: { length: 128 } })
    }
  })

  test('line length', () => {
    const mib = 'x'.repeat(1024 * 1024)
    for (const type of '+-') {
      const bytes = Buffer.from(`${type}${mib}\r\n`)
      expect(new ReplyScanner().scan(bytes, 0, bytes.length)).toBe(bytes.length)
      const longer = Buffer.from(`${type}${mib}x\r\n`)
      expect(() => new ReplyScanner().scan(longer, 0, longer.length)).toThrow(BadReply)
      // Without waiting for its end.
      expect(() => new ReplyScanner().scan(longer, 0, longer.length - 2)).toThrow(BadReply)
    }
    expect(end(`+${'x'.repeat(100_000)}\r\n`)).toBe(100_003)
    for (const type of ',(') {
      const digits = '1'.repeat(64 * 1024)
      expect(end(`${type}${digits}\r\n`)).toBe(digits.length + 3)
      expect(() => end(`${type}${digits}1\r\n`)).toThrow(BadReply)
    }
  })

  test('a payload of many gigabytes is counted, not held', () => {
    const scanner = new ReplyScanner()
    const head = Buffer.from('*2\r\n$9007199254740\r\n')
    expect(scanner.scan(head, 0, head.length)).toBe(-1)
    expect(scanner.idle).toBe(false)
    const chunk = Buffer.alloc(1024 * 1024, '\r')
    for (let i = 0; i < 5000; i++) expect(scanner.scan(chunk, 0, chunk.length)).toBe(-1)
  })
})

test('reset forgets an unfinished reply', () => {
  const scanner = new ReplyScanner()
  const half = Buffer.from('*3\r\n$5\r\nab')
  expect(scanner.scan(half, 0, half.length)).toBe(-1)
  scanner.reset()
  expect(scanner.idle).toBe(true)
  const ok = Buffer.from('+OK\r\n')
  expect(scanner.scan(ok, 0, ok.length)).toBe(5)
  expect(scanner.type).toBe(0x2b)
})

test('nothing to scan changes nothing', () => {
  const scanner = new ReplyScanner()
  const bytes = Buffer.from('+OK\r\n')
  expect(scanner.scan(bytes, 2, 2)).toBe(-1)
  expect(scanner.idle).toBe(true)
  expect(scanner.scan(bytes, 0, 5)).toBe(5)
})

// Each chunk would cost a scan of all before it: 640 MB of headers in all, against the 1.6 MB that there are.
test('a long reply in small chunks is scanned once', () => {
  const bytes = Buffer.from(`*200000\r\n${'$2\r\nab\r\n'.repeat(200_000)}`)
  const scanner = new ReplyScanner()
  let at = -1
  for (let pos = 0; pos < bytes.length; pos += 100) {
    at = scanner.scan(bytes, pos, Math.min(pos + 100, bytes.length))
  }
  expect(at).toBe(bytes.length)
})
