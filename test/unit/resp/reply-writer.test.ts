import { describe, expect, test } from 'vitest'
import { ReplyWriter } from '../../../src/resp/reply-writer.ts'

function written(protocol: 2 | 3, write: (writer: ReplyWriter) => void): string {
  const writer = new ReplyWriter(protocol)
  write(writer)
  return writer.take().toString('latin1')
}

describe('what is written, in RESP2 and in RESP3', () => {
  test.each<[string, (writer: ReplyWriter) => void, string, string]>([
    ['simple', (w) => w.simple('OK'), '+OK\r\n', '+OK\r\n'],
    ['error', (w) => w.error('ERR no'), '-ERR no\r\n', '-ERR no\r\n'],
    ['error, line breaks', (w) => w.error("ERR '\r\n+OK'\n"), "-ERR '  +OK' \r\n", "-ERR '  +OK' \r\n"],
    ['error, any byte', (w) => w.error("ERR '\xff'"), "-ERR '\xff'\r\n", "-ERR '\xff'\r\n"],
    ['integer', (w) => w.integer(-5), ':-5\r\n', ':-5\r\n'],
    ['big integer', (w) => w.integer(2n ** 63n - 1n), ':9223372036854775807\r\n', ':9223372036854775807\r\n'],
    ['bulk', (w) => w.bulk(Buffer.from([13, 10, 255])), '$3\r\n\r\n\xff\r\n', '$3\r\n\r\n\xff\r\n'],
    ['bulk of text', (w) => w.bulk('é'), '$2\r\n\xc3\xa9\r\n', '$2\r\n\xc3\xa9\r\n'],
    ['empty bulk', (w) => w.bulk(''), '$0\r\n\r\n', '$0\r\n\r\n'],
    ['null', (w) => w.null(), '$-1\r\n', '_\r\n'],
    ['null array', (w) => w.nullArray(), '*-1\r\n', '_\r\n'],
    ['array', (w) => w.array(3), '*3\r\n', '*3\r\n'],
    ['map', (w) => w.map(3), '*6\r\n', '%3\r\n'],
    ['set', (w) => w.set(3), '*3\r\n', '~3\r\n'],
    ['push', (w) => w.push(3), '*3\r\n', '>3\r\n'],
    ['double', (w) => w.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
    ['infinity', (w) => w.double(Number.POSITIVE_INFINITY), '$3\r\ninf\r\n', ',inf\r\n'],
    ['minus infinity', (w) => w.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['not a number', (w) => w.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
    ['minus zero', (w) => w.double(-0), '$2\r\n-0\r\n', ',-0\r\n'],
    ['true', (w) => w.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (w) => w.boolean(false), ':0\r\n', '#f\r\n'],
    ['verbatim', (w) => w.verbatim('txt', 'é'), '$2\r\n\xc3\xa9\r\n', '=6\r\ntxt:\xc3\xa9\r\n'],
    ['raw', (w) => w.raw(Buffer.from('+x\r\n')), '+x\r\n', '+x\r\n'],
    ['nothing', () => {}, '', ''],
  ])('%s', (_, write, resp2, resp3) => {
    expect(written(2, write)).toBe(resp2)
    expect(written(3, write)).toBe(resp3)
  })
})

test('what was taken stays as it is', () => {
  const writer = new ReplyWriter()
  writer.simple('one')
  const one = writer.take()
  writer.simple('two')
  writer.protocol = 3
  writer.null()
  const two = writer.take()
  writer.bulk('x'.repeat(100))
  expect([String(one), String(two)]).toEqual(['+one\r\n', '+two\r\n_\r\n'])
})

test('it grows as needed', () => {
  const writer = new ReplyWriter()
  let expected = '*1000\r\n'
  writer.array(1000)
  for (let i = 0; i < 1000; i++) {
    const text = 'é'.repeat(i % 77)
    writer.bulk(text)
    expected += `$${2 * text.length}\r\n${text}\r\n`
  }
  expect(writer.take().toString()).toBe(expected)
})
