import { expect, test } from 'vitest'
import { KeySet } from '../../../src/lib/key-set.ts'

test('tells keys apart while it grows, and knows those it has seen', () => {
  const set = new KeySet()
  const keys = Array.from({ length: 50_000 }, (_, i) => Buffer.from(`user:${i}`))
  for (const key of keys) expect(set.add(key)).toBe(true)
  for (const key of keys) expect(set.add(key)).toBe(false)
  expect(set.size).toBe(keys.length)
  expect(set.bytes).toBe(8 * 131_072)
})

test('keys that differ in one byte, in their length or in their order are different', () => {
  const set = new KeySet()
  const keys = ['', '\0', '\0\0', 'ab', 'ba', 'a', 'b', 'aa', 'ab\0']
  for (const key of keys) expect([key, set.add(Buffer.from(key))]).toEqual([key, true])
})
