import { expect, test } from 'vitest'
import { parseInt64 } from '../../../src/lib/int64.ts'

test('integers of 64 bits', () => {
  expect(['0', '7', '-1', '9223372036854775807', '-9223372036854775808'].map(parseInt64)).toEqual([
    0n,
    7n,
    -1n,
    9223372036854775807n,
    -9223372036854775808n,
  ])
})

test('nothing that Redis would not take for one', () => {
  const wrong = [
    '',
    ' 1',
    '1 ',
    '+1',
    '01',
    '-0',
    '--1',
    '1.0',
    '1e3',
    '0x1',
    'a',
    '1\n',
    '9223372036854775808',
    '-9223372036854775809',
    '1'.repeat(21),
  ]
  expect(wrong.filter((text) => parseInt64(text) !== undefined)).toEqual([])
})
