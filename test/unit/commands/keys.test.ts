import { describe, expect, test } from 'vitest'
import { keyRange } from '../../../src/commands/key-range.ts'
import { parseRow } from '../../../src/commands/rows.ts'
import { type CommandSpec, KeyList } from '../../../src/commands/spec.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { keyIndices } from '../../helpers/arg-view.ts'

const table = buildTable()

/** Blanks between the words; _ stands for an empty argument. */
function keysOf(line: string): number[] {
  const words = line.split(' ').map((word) => (word === '_' ? '' : word))
  const spec = table.byName(words[0]) as CommandSpec
  return keyIndices(spec.subcommands?.get(words[1]?.toLowerCase()) ?? spec, ...words)
}

describe('fixed positions', () => {
  test.each([
    ['get k', [1]],
    ['mset a 1 b 2 c 3', [1, 3, 5]],
    ['mset a 1 b', [1, 3]],
    ['del a b c', [1, 2, 3]],
    ['blpop a b c 0', [1, 2, 3]],
    ['bitop and d a b', [2, 3, 4]],
    ['rename a b', [1, 2]],
    ['copy a b replace', [1, 2]],
    ['lcs a b idx minmatchlen 4', [1, 2]],
    ['object encoding k', [2]],
    ['object help', []],
    ['xgroup create k g $', [2]],
    ['ping hello', []],
    ['publish ch message', []],
    ['spublish ch message', []],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})

describe('counted keys', () => {
  test.each([
    ['zunion 2 a b withscores', [2, 3]],
    ['zunionstore d 2 a b weights 1 2', [1, 3, 4]],
    ['sintercard 1 a limit 5', [2]],
    ['lmpop 2 a b left', [2, 3]],
    ['blmpop 0 2 a b left', [3, 4]],
    ['eval script 2 a b c', [3, 4]],
    ['eval script 0 a b', []],
    ['fcall f 1 a b', [3]],
    // A count that the server cannot read, or that is not true: everything stays inside the prefix.
    ['zunion x a b', [2, 3]],
    ['zunion 3 a b', [2, 3]],
    ['zunion -1 a b', [2, 3]],
    ['zunion 02 a b', [2, 3]],
    ['zunion +2 a b', [2, 3]],
    ['zunion 0x2 a b', [2, 3]],
    ['zunion 1e0 a b', [2, 3]],
    ['zunion _ a b', [2, 3]],
    ['zunion 9007199254740993 a b', [2, 3]],
    ['zunion 99999999999999999999 a b', [2, 3]],
    ['zunionstore d 2x a b c', [1, 3, 4, 5]],
    ['eval script 4294967297 a', [3]],
  ])('%s: %j', (line, keys) => {
    expect(keysOf(line)).toEqual(keys)
  })
})

describe('what key specs cannot tell', () => {
  test('a keyword spec is not trusted: everything is a key', () => {
    const rows = ['odd -3 readonly read 1/0,1,0/RO;WORD@2/0,1,0/RO', 'vague -2 readonly read ?/?/RO']
    const other = buildTable(rows)
    expect(keyIndices(other.byName('odd') as CommandSpec, 'odd', 'a', 'word', 'b')).toEqual([1, 2, 3])
    expect(keyIndices(other.byName('vague') as CommandSpec, 'vague', 'a', 'b')).toEqual([1, 2])
  })

  test('the ranges of several specs join only without a gap', () => {
    const range = (specs: string) => keyRange(parseRow(`x -2 write - ${specs}`).keySpecs)
    expect(range('1/0,1,0/RO;2/0,1,0/RW')).toEqual({ first: 1, last: 2, step: 1 })
    expect(range('2/0,1,0/OW;3/-1,1,0/RO')).toEqual({ first: 2, last: -1, step: 1 })
    expect(range('1/0,1,0/RO;3/0,1,0/RW').first).toBe(-1)
    expect(range('1/-1,2,0/RO;2/0,1,0/RW').first).toBe(-1)
    expect(range('1/-1,1,2/RO').first).toBe(-1)
    expect(range('1/0,1,0/not_key')).toEqual({ first: 0, last: 0, step: 0 })
    expect(range('-')).toEqual({ first: 0, last: 0, step: 0 })
  })

  test('a list grows with its request', () => {
    const words = ['del', ...Array.from({ length: 5000 }, (_, i) => `k${i}`)]
    expect(keyIndices(table.byName('del') as CommandSpec, ...words)).toHaveLength(5000)
    const list = new KeyList()
    for (let i = 0; i < 100; i++) list.push(i)
    expect([...list.at.subarray(0, list.count)]).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
})
