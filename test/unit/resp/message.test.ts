import { describe, expect, test } from 'vitest'
import { MessageFrame } from '../../../src/resp/message.ts'
import { BadReply } from '../../../src/resp/reply-scanner.ts'

const frame = new MessageFrame()

function read(text: string, before = ''): MessageFrame {
  const buf = Buffer.from(before + text, 'latin1')
  frame.read(buf, before.length, buf.length)
  return frame
}

describe('a frame of a subscribed connection', () => {
  test('a message, wherever it stands in the buffer', () => {
    const payload = 'x'.repeat(1000)
    for (const before of ['', 'rubbish\r\n']) {
      const message = read(`*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1000\r\n${payload}\r\n`, before)
      expect(message.count).toBe(3)
      expect([message.text(0), message.text(1), message.text(2)]).toEqual(['message', 'ch', payload])
      expect(message.is(0, Buffer.from('message'))).toBe(true)
      expect(message.is(0, Buffer.from('messagf'))).toBe(false)
      expect(message.is(1, Buffer.from('channel'))).toBe(false)
      expect(message.is(3, Buffer.from(''))).toBe(false)
      expect(message.buf.toString('latin1', message.lastElement, message.end)).toBe(`$1000\r\n${payload}\r\n`)
    }
  })

  test.each([0, 1, 9, 10, 99, 100, 12345])('its last element may be %i bytes long', (length) => {
    const body = `$${length}\r\n${'y'.repeat(length)}\r\n`
    const message = read(`*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$0\r\n\r\n${body}`)
    expect(message.buf.toString('latin1', message.lastElement, message.end)).toBe(body)
    expect(message.text(2)).toBe('')
  })

  test('an acknowledgement, with its count behind', () => {
    const message = read('*3\r\n$9\r\nsubscribe\r\n$4\r\n\r\n\r\n\r\n:12\r\n')
    expect(message.count).toBe(2)
    expect(message.text(1)).toBe('\r\n\r\n')
  })

  test.each(['*0\r\n', '*1\r\n$4\r\npong\r\n', '*5\r\n', '*-1\r\n', '*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n'])(
    'anything else is refused: %j',
    (text) => {
      expect(() => read(text)).toThrow(BadReply)
    },
  )
})
