import { expect, test } from 'vitest'
import { asPush, channelMatches, channelMessage, frameOf, patternMessage } from '../../../src/keyspace/channels.ts'
import { MessageFrame } from '../../../src/resp/message.ts'

function read(...elements: string[]): MessageFrame {
  const frame = new MessageFrame()
  const buf = frameOf(elements.map((one) => Buffer.from(one, 'latin1')))
  frame.read(buf, 0, buf.length)
  return frame
}

const PAYLOADS = ['', 'x', 'y'.repeat(12), '\r\n$3\r\n', '\0\xff'.repeat(600)]

test.each(PAYLOADS)('a message without the prefix of its channel: %j', (payload) => {
  for (const name of ['', 'news', 'a\r\nb']) {
    const frame = channelMessage('message', read('message', `acme:${name}`, payload), 5)
    expect(frame).toEqual(frameOf(['message', name, payload].map((one) => Buffer.from(one, 'latin1'))))
  }
  expect(channelMessage('smessage', read('smessage', 'raw', payload), 0)).toEqual(
    frameOf(['smessage', 'raw', payload].map((one) => Buffer.from(one, 'latin1'))),
  )
})

test.each(PAYLOADS)('a message for a pattern has the pattern that the tenant wrote: %j', (payload) => {
  const frame = patternMessage(Buffer.from('n*'), read('pmessage', 'ac\\*me:n*', 'acme:news', payload), 5)
  expect(frame).toEqual(frameOf(['pmessage', 'n*', 'news', payload].map((one) => Buffer.from(one, 'latin1'))))
})

test('RESP3 has another first byte, and bytes of its own', () => {
  const frame = frameOf([Buffer.from('message'), Buffer.from('c'), Buffer.from('x')])
  const push = asPush(frame)
  expect(push.toString()).toBe('>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n')
  expect(frame.toString()).toBe('*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n')
})

test('a pattern or a name that would take minutes to match matches nothing', () => {
  expect(channelMatches(Buffer.from('n*s'), Buffer.from('news'))).toBe(true)
  expect(channelMatches(Buffer.from(`${'*a'.repeat(1000)}b`), Buffer.from('a'.repeat(10_000)))).toBe(false)
  expect(channelMatches(Buffer.from('*'.repeat(2000)), Buffer.from('news'))).toBe(false)
  expect(channelMatches(Buffer.from('*'), Buffer.from('n'.repeat(20_000)))).toBe(false)
})
