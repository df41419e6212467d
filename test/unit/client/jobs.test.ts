import { describe, expect, test } from 'vitest'
import { JOBS, OUTLIVING } from '../../../src/client/jobs/index.ts'
import { readScanOptions, validCursor } from '../../../src/client/jobs/scan-options.ts'
import { buildTable } from '../../../src/commands/table.ts'

test('every command of the route `job` has a job, and no other', () => {
  const routed = buildTable()
    .all()
    .filter(({ route }) => route === 'job')
    .map(({ name }) => name)
  expect(Object.keys(JOBS).sort()).toEqual(routed.sort())
  for (const name of OUTLIVING) expect(routed).toContain(name)
})

describe('options of SCAN', () => {
  const read = (...words: string[]) => readScanOptions(['SCAN', '0', ...words].map((word) => Buffer.from(word)))

  test.each([
    [['COUNT', 'x', 'MATCH'], 'ERR value is not an integer or out of range'],
    [['COUNT', '0'], 'ERR syntax error'],
    [['MATCH'], 'ERR syntax error'],
    [['FIND', 'x'], 'ERR syntax error'],
    [['TYPE'], 'ERR syntax error'],
  ])('%j', (words, error) => {
    expect(read(...words)).toEqual({ error })
  })

  test('the last of each counts, in any case', () => {
    const [match, type] = [Buffer.from('b*'), Buffer.from('list')]
    expect(read('match', 'a', 'CoUnT', '7', 'MATCH', 'b*', 'type', 'list')).toEqual({ count: 7, match, type })
  })

  test.each([
    ['0', true],
    ['18446744073709551615', true],
    ['18446744073709551616', false],
    ['-1', true],
    ['', true],
    ['1a', false],
    ['0\0abc', true],
    ['0'.repeat(40), true],
    [' 1', false],
    ['-', false],
  ])('cursor %j: %s', (cursor, valid) => {
    expect(validCursor(cursor)).toBe(valid)
  })
})
