import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BadReply } from '../../../src/resp/reply-scanner.ts'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'
import { readPush } from '../../../src/upstream/invalidations/push.ts'
import { fuzz } from '../../helpers/fuzz.ts'

/** The keys that a push tells of, one character per byte; '*' for all. */
function read(push: Buffer | string): string[] {
  const heard: string[] = []
  const bytes = typeof push === 'string' ? Buffer.from(push, 'latin1') : push
  const buf = Buffer.concat([Buffer.from('+PONG\r\n'), bytes, Buffer.from('$1\r\nx\r\n')])
  readPush(buf, 7, 7 + bytes.length, {
    invalidated: (key) => void heard.push(key.toString('latin1')),
    everything: () => void heard.push('*'),
  })
  return heard
}

const HEAD = '>2\r\n$10\r\ninvalidate\r\n'

test('keys, one by one', () => {
  expect(read(`${HEAD}*1\r\n$6\r\nacme:a\r\n`)).toEqual(['acme:a'])
  expect(read(`${HEAD}*3\r\n$0\r\n\r\n$4\r\n\r\n*1\r\n$12\r\n123456789012\r\n`)).toEqual(['', '\r\n*1', '123456789012'])
})

test('null is everything', () => expect(read(`${HEAD}_\r\n`)).toEqual(['*']))

test('any keys', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (keys) => {
      const wanted = keys.map((key) => Buffer.from(key))
      const push = Buffer.concat([Buffer.from(HEAD), encodeRequest(wanted)])
      expect(read(push)).toEqual(wanted.map((key) => key.toString('latin1')))
    }),
    fuzz('invalidations', 0.5),
  )
})

test('pushes that tell of something else are nobody’s', () => {
  expect(read('>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n')).toEqual([])
  expect(read('>1\r\n+x\r\n')).toEqual([])
})

test.each([
  '>2\r\n+invalidate\r\n*0\r\n',
  `${HEAD}*-1\r\n`,
  `${HEAD}$6\r\nacme:a\r\n`,
  `${HEAD}*1\r\n:1\r\n`,
  '>3\r\n$10\r\ninvalidate\r\n*0\r\n$1\r\nx\r\n',
])('one of another shape is not to be believed: %j', (push) => {
  expect(() => read(push)).toThrow(BadReply)
})
