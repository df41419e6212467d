import { expect, test } from 'vitest'
import { CommandTable } from '../../../src/commands/lookup.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { buildTable } from '../../../src/commands/table.ts'

const table = buildTable()

function find(name: string | Buffer): CommandSpec | undefined {
  const bytes = typeof name === 'string' ? Buffer.from(name, 'latin1') : name
  // Neighbours on both sides, to show that only the given range is read.
  const buf = Buffer.concat([Buffer.from('SET'), bytes, Buffer.from('X')])
  return table.find(buf, 3, 3 + bytes.length)
}

test('every command is found in lower, upper and mixed case', () => {
  for (const spec of table.all()) {
    if (spec.name.includes('|')) continue
    const mixed = [...spec.name].map((letter, i) => (i % 2 === 0 ? letter.toUpperCase() : letter)).join('')
    expect(find(spec.name)).toBe(spec)
    expect(find(spec.name.toUpperCase())).toBe(spec)
    expect(find(mixed)).toBe(spec)
    expect(table.byName(mixed)).toBe(spec)
  }
})

test('every subcommand is found in its container only', () => {
  for (const container of table.all()) {
    for (const [name, spec] of container.subcommands ?? []) {
      const buf = Buffer.from(name.toUpperCase())
      expect(table.findSub(container, buf, 0, buf.length)).toBe(spec)
      expect(find(spec.name)).toBeUndefined()
      expect(table.byName(spec.name)).toBe(spec)
    }
  }
  const get = table.byName('get') as CommandSpec
  expect(table.findSub(get, Buffer.from('get'), 0, 3)).toBeUndefined()
})

test('what only looks like a name is not found', () => {
  const looks = ['', 'ge', 'gett', 'get ', ' get', 'get\0', 'g\u0005t', 'GE\u0014', 'restore\rasking', 'client|id']
  for (const name of looks) expect(find(name), JSON.stringify(name)).toBeUndefined()
  // Bytes that folding with 0x20 confuses with a letter, a dash or an underscore of a real name.
  for (const spec of table.all()) {
    for (let i = 0; i < spec.name.length; i++) {
      const bytes = Buffer.from(spec.name)
      bytes[i] ^= bytes[i] >= 0x61 && bytes[i] <= 0x7a ? 0x80 : 0x20
      expect(find(bytes)).toBeUndefined()
    }
  }
  expect(find(Buffer.alloc(1 << 20, 'a'))).toBeUndefined()
})

test('an empty table finds nothing', () => {
  expect(new CommandTable([]).find(Buffer.from('get'), 0, 3)).toBeUndefined()
})
