import { describe, expect, test } from 'vitest'
import type { CommandSpec } from '../../../../src/commands/spec.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import { keyIndices } from '../../../helpers/arg-view.ts'

const table = buildTable()

/** Blanks between the words; \0 in a word is a NUL, _ an empty argument. */
function words(line: string): string[] {
  return line.split(' ').map((word) => (word === '_' ? '' : word.replaceAll('\\0', '\0')))
}

function keysOf(line: string): number[] {
  const [name, ...rest] = words(line)
  return keyIndices(table.byName(name) as CommandSpec, name, ...rest)
}

describe('XREAD and XREADGROUP', () => {
  test.each([
    ['xread STREAMS a 0', [2]],
    ['xread count 2 block 100 streams a b 0 0', [6, 7]],
    ['xread COUNT STREAMS STREAMS a 0', [4]],
    ['xread STREAMS STREAMS 0', [2]],
    ['xread STREAMS a STREAMS 0 0', [2, 3]],
    ['xreadgroup GROUP g c STREAMS a b > >', [5, 6]],
    ['xreadgroup GROUP STREAMS c STREAMS a >', [5]],
    ['xreadgroup GROUP g STREAMS NOACK STREAMS a >', [6]],
    ['xreadgroup COUNT 1 GROUP STREAMS c STREAMS a >', [7]],
    ['xreadgroup GROUP g c GROUP h d COUNT 1 NOACK STREAMS a >', [11]],
    // Not balanced, or no option where one must stand: an error for the server, and nothing leaves the prefix.
    ['xread STREAMS a b 0', [2, 3, 4]],
    ['xread STREAMS', []],
    ['xread GROUP g c STREAMS a >', [2, 3, 4, 5, 6]],
    ['xread NOACK STREAMS a 0', [2, 3, 4]],
    ['xread NEW 1 STREAMS a 0', [2, 3, 4, 5]],
    ['xread STREAMS\\0 a 0', [2, 3]],
    ['xread COUNT', []],
    ['xreadgroup GROUP g', [2]],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})

describe('GEORADIUS', () => {
  test.each([
    ['georadius k 1 2 3 km', [1]],
    ['georadius k 1 2 3 km WITHDIST COUNT 3 ANY asc STORE d', [1, 12]],
    ['georadius k 1 2 3 km STORE a STORE b', [1, 7, 9]],
    ['georadius k 1 2 3 km STORE a STOREDIST b', [1, 7, 9]],
    ['georadius k 1 2 3 km STORE STORE', [1, 7]],
    ['georadius k 1 2 3 km COUNT STORE STORE d', [1, 9]],
    ['georadius k 1 2 3 STORE x', [1]],
    ['georadius k 1 2 3 km STORE', [1]],
    ['georadius k 1 2 3 km NEW x STORE d', [1, 7, 8, 9]],
    ['georadius k 1 2 3 km STORE\\0 d', [1, 7]],
    ['georadiusbymember k m 1 km STORE\\0 d COUNT\\0 5 ASC\\0 STOREDIST e', [1, 6, 11]],
    ['georadiusbymember k m 1 km STORE\\0 d x y', [1, 6, 8]],
    ['georadiusbymember k m 3 km STORE d', [1, 6]],
    ['georadiusbymember k STORE 3 km', [1]],
    ['georadius_ro k 1 2 3 km', [1]],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})

describe('SORT', () => {
  test.each([
    ['sort k', [1]],
    ['sort k LIMIT 0 5 DESC ALPHA STORE d', [1, 8]],
    ['sort k STORE a STORE b', [1, 3, 5]],
    ['sort k STORE STORE', [1, 3]],
    ['sort k LIMIT STORE STORE STORE d', [1, 6]],
    ['sort k BY STORE GET STORE STORE d', [1, 5, 7]],
    ['sort k STORE', [1]],
    ['sort k NEW STORE d', [1, 3, 4]],
    ['sort k STORE\\0 d', [1, 3]],
    ['sort k store\\0x d', [1, 3]],
    ['sort_ro k STORE d', [1, 3]],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })

  test.each([
    ['sort k BY w_* GET o_* GET h_*->f STORE d', [1, 3, 5, 7, 9]],
    ['sort k by * get *', [1, 3, 5]],
    ['sort k BY w_* BY v_*', [1, 3, 5]],
    ['sort k GET # GET o_* GET #\\0x', [1, 5]],
    ['sort k BY nosort GET # DESC', [1]],
    ['sort k BY # GET _', [1, 5]],
    // The server sees no star behind a NUL, one that is newer might.
    ['sort k BY a\\0*', [1, 3]],
    ['sort k BY\\0 w_* get\\0x o_*', [1, 3, 5]],
    ['sort_ro k BY w_* GET o_*', [1, 3, 5]],
    // Here BY and GET are something else, or the server stops before it comes to them.
    ['sort k STORE by', [1, 3]],
    ['sort k LIMIT by get', [1]],
    ['sort k BY', [1]],
    ['sort k NEW BY w_*', [1, 3, 4]],
  ])('patterns are keys: %s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})

describe('MIGRATE', () => {
  test.each([
    ['migrate h 1 k 0 10', [3]],
    ['migrate h 1 k 0 10 COPY AUTH keys', [3]],
    ['migrate h 1 _ 0 10 KEYS a b', [7, 8]],
    ['migrate h 1 _ 0 10 AUTH2 keys keys REPLACE KEYS a b', [11, 12]],
    ['migrate h 1 k 0 10 KEYS a b', [3, 7, 8]],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})
