import { expect, test } from 'vitest'
import { fileText, readTable, rowsOf, unite } from '../../../scripts/lib/command-rows.ts'
import { flagBits, parseRow } from '../../../src/commands/rows.ts'
import { FLAG } from '../../../src/commands/spec.ts'

/** COMMAND's reply for one command, as a client library gives it. */
function reply(name: string, arity: number, flags: string[], specs: unknown[] = [], subcommands: unknown[] = []) {
  return [name, arity, flags, 0, 0, 0, ['@fast', '@read'], [], specs, subcommands] as never
}

const spec = (begin: unknown[], find: unknown[]) => [
  'flags',
  ['RO', 'access'],
  'begin_search',
  begin,
  'find_keys',
  find,
]
const index = (at: number) => ['type', 'index', 'spec', ['index', at]]
const range = ['type', 'range', 'spec', ['lastkey', -1, 'keystep', 2, 'limit', 0]]
const keynum = ['type', 'keynum', 'spec', ['keynumidx', 0, 'firstkey', 1, 'keystep', 1]]
const keyword = ['type', 'keyword', 'spec', ['keyword', 'STREAMS', 'startfrom', -2]]
const unknown = ['type', 'unknown', 'spec', []]

test('what a server says comes back out of a row', () => {
  const specs = [spec(index(1), range), spec(index(2), keynum), spec(keyword, range), spec(unknown, unknown)]
  const { rows } = readTable('redis 7.0.15', [reply('get', -2, ['readonly', 'fast'], specs)] as never)
  const flags = ['RO', 'access']
  expect(parseRow(rows.get('get') as string)).toEqual({
    name: 'get',
    arity: -2,
    flags: ['fast', 'readonly'],
    categories: ['fast', 'read'],
    keySpecs: [
      { begin: { index: 1 }, find: { lastKey: -1, step: 2, limit: 0 }, flags },
      { begin: { index: 2 }, find: { keyNum: 0, firstKey: 1, step: 1 }, flags },
      { begin: { keyword: 'STREAMS', startFrom: -2 }, find: { lastKey: -1, step: 2, limit: 0 }, flags },
      { begin: 'unknown', find: 'unknown', flags },
    ],
    servers: [],
  })
})

test('empty fields, and subcommands as rows of their own', () => {
  const { rows } = readTable('redis 7.0.15', [reply('client', -2, [], [], [reply('client|id', 2, [])])] as never)
  expect([...rows.keys()]).toEqual(['client', 'client|id'])
  expect(parseRow(rows.get('client') as string)).toMatchObject({ flags: [], keySpecs: [], servers: [] })
})

test('a server without key specs is not read as one without keys', () => {
  expect(() => readTable('redis 6.2.0', [['get', 2, ['readonly'], 1, 1, 1, ['@read']]] as never)).toThrow(/7\.0/)
})

test('what servers agree on stands once, the rest says where it is from', () => {
  const one = readTable('redis 7.0.15', [reply('a', 1, []), reply('b', 2, [])] as never)
  const two = readTable('valkey 8.0.1', [reply('b', -2, []), reply('c', 1, []), reply('a', 1, [])] as never)
  const lines = unite([one, two])
  expect(lines.map((line) => line.replace(' - fast,read -', ''))).toEqual([
    'a 1',
    'b 2 @redis-7.0.15',
    'b -2 @valkey-8.0.1',
    'c 1 @valkey-8.0.1',
  ])
  expect(rowsOf('redis 7.0.15', lines)).toEqual(new Map([...one.rows].sort()))
  expect(rowsOf('valkey 8.0.1', lines)).toEqual(new Map([...two.rows].sort()))
  expect(fileText([one, two])).toContain("SERVERS: readonly string[] = ['redis 7.0.15', 'valkey 8.0.1']")
})

test('flags without a bit are left out', () => {
  expect(flagBits(['readonly', 'fast', 'movablekeys', 'no_auth'])).toBe(FLAG.READONLY | FLAG.FAST | FLAG.NO_AUTH)
})
