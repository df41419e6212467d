import { describe, expect, test } from 'vitest'
import { type CommandSpec, FLAG } from '../../../../src/commands/spec.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import { CACHEABLE, KIND, kindsOf, LEFT_OUT } from '../../../../src/policies/cache/cacheable.ts'

const table = buildTable()
const kinds = kindsOf(table)

function specOf(name: string): CommandSpec {
  const spec = table.byName(name)
  if (spec === undefined) throw new Error(`no ${name}`)
  return spec
}

function kind(name: string): number {
  return kinds[specOf(name).index]
}

describe('what the cache keeps', () => {
  test('reads alone, each of one key, that nothing but the key itself changes', () => {
    for (const name of CACHEABLE) {
      const spec = specOf(name)
      expect([name, spec.flags & (FLAG.READONLY | FLAG.WRITE | FLAG.BLOCKING)]).toEqual([name, FLAG.READONLY])
      expect([name, spec.firstKey]).toEqual([name, 1])
      if (name !== 'mget' && name !== 'exists') expect([name, spec.lastKey]).toEqual([name, 1])
      // At least the key; so a request has one that got past the check of its arity.
      expect([name, Math.abs(spec.arity) >= 2]).toEqual([name, true])
    }
  })

  test('replies that go to the client as the upstream sent them', () => {
    for (const name of CACHEABLE) {
      const { route, channel, quirk, open } = specOf(name)
      expect([name, route, channel, open]).toEqual([name, 'shared', 0, 'tenant'])
      const { keys, refuses, forward, instead, reply, errorKey, amend, corrected } = quirk
      expect([name, keys, refuses, forward, instead, reply, errorKey, amend, corrected]).toEqual([name, ...Array(8)])
    }
  })

  test('or there is a reason why not, for every command that only reads', () => {
    const reads = table.all().filter(({ flags, subcommands }) => (flags & FLAG.READONLY) !== 0 && !subcommands)
    expect(reads.length).toBeGreaterThan(80)
    for (const { name } of reads) expect([name, CACHEABLE.has(name) !== LEFT_OUT.has(name)]).toEqual([name, true])
    for (const name of [...CACHEABLE, ...LEFT_OUT.keys()]) expect(reads).toContain(specOf(name))
  })
})

describe('what outdates it', () => {
  test('every command that may write, by its keys where it names them all', () => {
    for (const spec of table.all()) {
      if ((spec.flags & FLAG.WRITE) === 0 || spec.name === 'copy') continue
      const byKeys = spec.firstKey !== 0 && spec.name !== 'move'
      expect([spec.name, kinds[spec.index]]).toEqual([spec.name, byKeys ? KIND.WRITE : KIND.WRITE_ANY])
    }
  })

  test('scripts and whole databases: everything', () => {
    for (const name of ['eval', 'evalsha', 'fcall', 'flushall', 'flushdb', 'swapdb', 'move', 'function|restore']) {
      expect([name, kind(name)]).toEqual([name, KIND.WRITE_ANY])
    }
  })

  test('PFCOUNT, which writes what it has counted', () => {
    expect(kind('pfcount')).toBe(KIND.WRITE)
  })

  test('nothing else', () => {
    const names = [
      'ping',
      'publish',
      'spublish',
      'multi',
      'watch',
      'ttl',
      'eval_ro',
      'info',
      'subscribe',
      'object|freq',
    ]
    for (const name of names) expect([name, kind(name)]).toEqual([name, KIND.NONE])
  })
})
