import { expect, test } from 'vitest'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'
import { RawKeys } from '../../../src/upstream/raw-keys.ts'
import { theTable } from '../../helpers/local-client.ts'

const keys = new RawKeys()
const specOf = (name: string) => theTable().byName(name) as CommandSpec

function read(...args: string[]): string[] | undefined {
  const request = encodeRequest(args)
  if (!keys.read(specOf(args[0]), request)) return undefined
  return Array.from({ length: keys.count }, (_, i) => request.toString('utf8', keys.at[2 * i], keys.at[2 * i + 1]))
}

test('the keys of a request, wherever its command has them', () => {
  expect(read('get', 'acme:a')).toEqual(['acme:a'])
  expect(read('lrange', 'a long key with a number of its own $3\r\n', '0', '-1')).toEqual([
    'a long key with a number of its own $3\r\n',
  ])
  expect(read('mget', 'a', '', 'b'.repeat(1234))).toEqual(['a', '', 'b'.repeat(1234)])
  expect(read('mset', 'a', '1', 'b', '2')).toEqual(['a', 'b'])
})

test('a request without a key, or with keys that the table does not find, has none', () => {
  expect(read('ping')).toBeUndefined()
  expect(read('get')).toBeUndefined()
  expect(read('zunion', '1', 'a')).toBeUndefined()
  expect(keys.count).toBe(0)
})

test('bytes that are no request have none', () => {
  const whole = encodeRequest(['get', 'acme:a'])
  const get = specOf('get')
  for (let length = 0; length < whole.length - 2; length++) {
    expect(keys.read(get, whole.subarray(0, length)), `${length} bytes`).toBe(false)
  }
  for (const bytes of ['', '\r\n', 'GET a\r\n', '*x\r\n$1\r\na\r\n', '*2\r\n$3\r\nget\r\n$\r\na\r\n'])
    expect(keys.read(get, Buffer.from(bytes)), bytes).toBe(false)
})
