import { expect, test } from 'vitest'
import { mayReadReplica } from '../../../src/commands/replicable.ts'
import { FLAG } from '../../../src/commands/spec.ts'
import { buildTable } from '../../../src/commands/table.ts'

const all = buildTable()
  .all()
  .flatMap((spec) => [spec, ...(spec.subcommands?.values() ?? [])])
const readable = all.filter(mayReadReplica)
const names = new Set(readable.map(({ name }) => name))

test('only what reads the keys that it names', () => {
  expect(readable.filter(({ flags }) => (flags & FLAG.WRITE) !== 0)).toEqual([])
  expect(readable.filter(({ keySpecs }) => keySpecs.length === 0)).toEqual([])
  for (const name of ['get', 'mget', 'hgetall', 'zrange', 'smembers', 'lrange', 'xrange', 'ttl', 'exists', 'strlen'])
    expect(names).toContain(name)
})

test('no cursors, nothing about the server, nothing that writes by its arguments', () => {
  for (const name of [
    'scan',
    'hscan',
    'sscan',
    'zscan',
    'keys',
    'dbsize',
    'randomkey',
    'touch',
    'object|freq',
    'memory|usage',
  ])
    expect(names).not.toContain(name)
  for (const name of [
    'sort',
    'georadius',
    'getex',
    'bitfield',
    'xreadgroup',
    'blpop',
    'watch',
    'eval',
    'pfcount',
    'publish',
  ])
    expect(names).not.toContain(name)
})
