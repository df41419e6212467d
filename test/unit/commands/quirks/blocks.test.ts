import { describe, expect, test } from 'vitest'
import type { CommandSpec } from '../../../../src/commands/spec.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import { argsOf } from '../../../helpers/arg-view.ts'

const table = buildTable()

function blocks(line: string): number | undefined {
  const words = line.split(' ').map((word) => (word === '_' ? '' : word.replaceAll('\\0', '\0')))
  return (table.byName(words[0]) as CommandSpec).quirk.blocks?.(argsOf(...words))
}

describe('seconds', () => {
  test.each([
    ['0', 0],
    ['1', 1000],
    ['0.5', 500],
    ['.5', 500],
    ['5.', 5000],
    ['+2', 2000],
    ['1e-1', 100],
    ['0.0001', 1],
    ['0.0011', 2],
    // Rounded up to zero, which is for ever.
    ['-0', 0],
    ['-0.0001', 0],
    ['1e-30', 1],
    // Longer than a timer can count.
    ['99999999', 0],
    ['1e300', 0],
    // Numbers to some servers, which may mean any time.
    ['0x10', 0],
    ['inf', 0],
    ['nan', 0],
    ['1\\0', 0],
    ['1 ', 0],
    // Certainly an error, at once.
    ['-1', undefined],
    ['-0.5', undefined],
    ['abc', undefined],
    ['_', undefined],
    [' 1', undefined],
    ['-', undefined],
  ])('%j is %j ms', (text, milliseconds) => {
    const args = argsOf('blpop', 'k', text === '_' ? '' : text.replaceAll('\\0', '\0'))
    expect((table.byName('blpop') as CommandSpec).quirk.blocks?.(args)).toBe(milliseconds)
  })

  test('each command keeps its time-out in its own place', () => {
    for (const name of ['blpop', 'brpop', 'bzpopmin', 'bzpopmax']) expect(blocks(`${name} 1 2 3`), name).toBe(3000)
    expect(blocks('blmove 1 2 LEFT RIGHT 3')).toBe(3000)
    expect(blocks('brpoplpush 1 2 3')).toBe(3000)
    expect(blocks('blmpop 3 1 k LEFT COUNT 7')).toBe(3000)
    expect(blocks('bzmpop 3 1 k MIN COUNT 7')).toBe(3000)
  })
})

describe('milliseconds, in XREAD and XREADGROUP', () => {
  test.each([
    ['xread STREAMS a 0', undefined],
    ['xread BLOCK 250 STREAMS a 0', 250],
    ['xread block 0 STREAMS a 0', 0],
    ['xread BLOCK 1 BLOCK 2 STREAMS a 0', 2],
    ['xread COUNT BLOCK STREAMS a 0', undefined],
    ['xread STREAMS BLOCK 0', undefined],
    ['xreadgroup GROUP BLOCK BLOCK STREAMS a >', undefined],
    ['xreadgroup GROUP g c BLOCK 5 STREAMS a >', 5],
    ['xread BLOCK 99999999999 STREAMS a 0', 0],
    ['xread BLOCK -1 STREAMS a 0', undefined],
    ['xread BLOCK x STREAMS a 0', undefined],
    ['xread BLOCK 1.5 STREAMS a 0', undefined],
    ['xread NEW 1 BLOCK 5 STREAMS a 0', 0],
    ['xread BLOCK\\0 5 STREAMS a 0', 0],
    ['xread NEW 1 STREAMS a 0', undefined],
  ])('%s: %j', (line, milliseconds) => {
    expect(blocks(line)).toBe(milliseconds)
  })
})
