import { expect, test } from 'vitest'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'

test.each<[string, (Buffer | string)[], string]>([
  ['text', ['GET', 'key'], '*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n'],
  ['text that is not ASCII', ['é'], '*1\r\n$2\r\n\xc3\xa9\r\n'],
  ['bytes', [Buffer.from([0, 13, 10, 255])], '*1\r\n$4\r\n\0\r\n\xff\r\n'],
  ['empty', ['', Buffer.alloc(0)], '*2\r\n$0\r\n\r\n$0\r\n\r\n'],
  ['two digits', Array.from({ length: 10 }, () => 'x'.repeat(10)), `*10\r\n${'$10\r\nxxxxxxxxxx\r\n'.repeat(10)}`],
])('%s', (_, args, expected) => {
  expect(encodeRequest(args).toString('latin1')).toBe(expected)
})
