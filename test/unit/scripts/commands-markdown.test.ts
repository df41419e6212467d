import { describe, expect, test } from 'vitest'
import { commandsOf } from '../../../scripts/lib/differences.ts'
import { DIFFERENCES } from '../../../src/commands/differences.ts'
import { notInMulti } from '../../../src/commands/in-multi.ts'
import { EXCEPTIONS, REASONS } from '../../../src/commands/reviewed.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { commandsDocument } from '../../helpers/commands-document.ts'

const table = buildTable()
const document = commandsDocument()

describe('docs/commands.md', () => {
  test('has every command and subcommand of the table once', () => {
    const { open, scripts, modules, passthrough, extensions, containers, refused } = document
    const all = [...open, ...scripts, ...modules, ...passthrough, ...extensions, ...containers, ...refused]
    expect(all.toSorted()).toEqual(table.all().map(({ name }) => name))
  })

  test('under what it is', () => {
    const named = (openness: string) => table.all().filter(({ open }) => open === openness)
    expect(document.refused.toSorted()).toEqual(named('refused').map(({ name }) => name))
    for (const name of document.open) expect(table.byName(name)?.open, name).toBe('tenant')
    for (const name of document.scripts) expect(table.byName(name)?.open, name).toMatch(/^(script|function)$/)
    for (const name of document.modules) expect(table.byName(name)?.presence, name).toBe('module')
    for (const name of document.passthrough) expect(table.byName(name)?.open, name).toBe('passthrough')
    expect(document.extensions.toSorted()).toEqual(named('extension').map(({ name }) => name))
    for (const name of document.containers) expect(table.byName(name)?.subcommands, name).toBeDefined()
  })

  test('tells every reason for a refusal', () => {
    const { text } = document
    for (const spec of table.all()) if (spec.refusal !== '') expect(text, spec.name).toContain(`| ${spec.refusal} |`)
    for (const [name, reason] of REASONS) expect(text, name).toContain(`| ${reason} |`)
    for (const [name, exception] of EXCEPTIONS) {
      expect(text, name).toContain(`| ${name.replace('|', ' ').toUpperCase()} (${exception}) |`)
    }
  })

  test('tells what is refused in MULTI', () => {
    const refused = table
      .all()
      .filter((spec) => /^(tenant|script|function)$/.test(spec.open) && notInMulti(spec, true, true) !== undefined)
    expect(document.notInMulti.toSorted()).toEqual(refused.map(({ name }) => name))
    for (const spec of refused) expect(document.text).toContain(`| ${notInMulti(spec, true, true)} |`)
  })

  test('leads from each command to the differences that it has', () => {
    for (const [i, difference] of DIFFERENCES.entries()) {
      expect(document.text).toContain(`<a id="d${i + 1}"></a>${i + 1} | ${difference.where} | ${difference.what} |`)
      for (const { name, open } of commandsOf(difference, table)) {
        if (open !== 'tenant' || !document.open.includes(name)) continue
        const row = new RegExp(
          `^\\| ${name.replace('|', ' ').toUpperCase()}( \\(.*\\))? \\|.*\\[${i + 1}\\]\\(#d${i + 1}\\)`,
          'm',
        )
        expect(document.text, `${name}, ${difference.where}`).toMatch(row)
      }
    }
  })

  test('a difference that names no command says so', () => {
    const nothing = { where: 'nowhere', what: 'nothing' }
    expect(() => commandsOf(nothing, table)).toThrow(/"nowhere" names no command/)
    expect(commandsOf({ ...nothing, commands: '' }, table)).toEqual([])
    const names = commandsOf({ where: 'XREAD BLOCK … $, OBJECT', what: '' }, table).map(({ name }) => name)
    expect(names.slice(0, 3)).toEqual(['xread', 'object', 'object|encoding'])
  })
})
