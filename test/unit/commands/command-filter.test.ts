import { describe, expect, it } from 'vitest'
import { parseCommandFilter } from '../../../src/commands/command-filter.ts'
import { buildTable } from '../../../src/commands/table.ts'

const table = buildTable()
const all = table.all().map((spec) => spec.name)

/** The names that the rules let through. */
function named(text: string): readonly string[] {
  const reading = parseCommandFilter(text, table)
  if (!('value' in reading)) throw new Error(`${reading.message}; ${reading.cure}`)
  expect(reading.value).toHaveLength(all.length)
  return all.filter((_, i) => reading.value[i] === 1)
}

function wrong(text: string): { message: string; cure: string } {
  const reading = parseCommandFilter(text, table)
  if ('value' in reading) throw new Error(`${text} was read`)
  return reading
}

function inCategory(category: string): readonly string[] {
  return table
    .all()
    .filter((spec) => spec.categories.includes(category))
    .map((spec) => spec.name)
}

describe('rules on commands', () => {
  it.each([
    ['+get', ['get']],
    ['+GET +Set', ['get', 'set']],
    ['  +get\t+set\n', ['get', 'set']],
    ['+get -get', []],
    ['+get -get +get', ['get']],
    ['+@all nocommands +get', ['get']],
    ['-@all +get', ['get']],
    ['+client|list', ['client|list']],
    ['+CLIENT|List', ['client|list']],
    ['+latency -latency|doctor -latency|graph', all.filter((name) => /^latency(?!\|(doctor|graph))/.test(name))],
    ['+@transaction', ['discard', 'exec', 'multi', 'unwatch', 'watch']],
    ['+@TRANSACTION -exec', ['discard', 'multi', 'unwatch', 'watch']],
    ['+@all', all],
    ['allcommands', all],
    ['AllCommands', all],
    ['nocommands', []],
  ])('%s', (text, names) => expect(named(text)).toEqual(names))

  it('a container stands for its subcommands, and so does its category', () => {
    const xgroup = all.filter((name) => name.startsWith('xgroup'))
    expect(xgroup.length).toBeGreaterThan(5)
    expect(named('+xgroup')).toEqual(xgroup)
    expect(named('+@all -xgroup')).toEqual(all.filter((name) => !name.startsWith('xgroup')))
    expect(named('+@slow')).toEqual(expect.arrayContaining(xgroup))
  })

  it('categories are those of the table', () => {
    for (const category of ['read', 'write', 'dangerous', 'connection']) {
      expect(named(`+@${category}`)).toEqual(inCategory(category))
    }
    expect(named('+@write')).toContain('set')
    expect(named('+@write')).not.toContain('get')
  })

  it('what begins by taking away takes away from everything', () => {
    expect(named('-get')).toEqual(all.filter((name) => name !== 'get'))
    const connection = inCategory('connection')
    expect(named('-@connection')).toEqual(all.filter((name) => !connection.includes(name)))
    expect(named('+get -@connection')).toEqual(['get'])
  })
})

describe('what is not a rule on commands', () => {
  it.each([
    ['', 'has no rule', 'write rules on commands, such as "+@write -del"'],
    [' \n ', 'has no rule', 'write rules on commands, such as "+@write -del"'],
    ['+gett', '"+gett" names no command', 'did you mean +get?'],
    ['+@read -gett', '"-gett" names no command', 'did you mean -get?'],
    ['+xyzzyplugh', '"+xyzzyplugh" names no command', 'see docs/commands.md for the names'],
    ['+hset,hget', '"+hset,hget" names no command', 'put blanks between the rules'],
    ['+@wriet', '"+@wriet" names no category', 'did you mean +@write?'],
    ['-@sorted-set', '"-@sorted-set" names no category', 'did you mean -@sortedset?'],
    ['+client|lst', '"+client|lst" names no subcommand of client', 'did you mean +client|list?'],
    ['+clientlist', '"+clientlist" names no command', 'did you mean +client|list?'],
    ['+get|x', '"+get|x": get has no subcommands', 'write +get'],
    ['-select|0', '"-select|0": select has no subcommands', 'write -select'],
    ['+client|list|x', '"+client|list|x" names no subcommand of client', 'did you mean +client|list?'],
    ['get', '"get" is no rule on commands', 'write +get or -get'],
    ['@write', '"@write" is no rule on commands', 'write +@write or -@write'],
    ['client|list', '"client|list" is no rule on commands', 'write +client|list or -client|list'],
    ['~cache:*', '"~cache:*" is no rule on commands', 'write +command, -command, +@category or -@category'],
    ['on', '"on" is no rule on commands', 'write +command, -command, +@category or -@category'],
    ['+', '"+" is no rule on commands', 'write +command, -command, +@category or -@category'],
    ['+@', '"+@" is no rule on commands', 'write +command, -command, +@category or -@category'],
    ['(+get ~a)', '"(+get" is no rule on commands', 'write +command, -command, +@category or -@category'],
    ['+constructor', '"+constructor" names no command', 'see docs/commands.md for the names'],
  ])('%s', (text, message, cure) => expect(wrong(text)).toEqual({ message, cure }))

  it('categories that resemble none are answered with all that there are', () => {
    expect(wrong('+@xyzzyplugh').cure).toMatch(/^known: @admin, @all, @bitmap, .*, @write$/)
    expect(wrong('+xinfo|plugh').cure).toBe('known: consumers, groups, help, stream')
  })

  it('is told on one short line', () => {
    const { message } = wrong(`+${'\u0007'.repeat(5)}${'x'.repeat(500)}`)
    expect(message).toMatch(/^"\+(\\u0007){5}x+…" names no command$/)
    expect(message.length).toBeLessThan(130)
  })
})
