import { describe, expect, test } from 'vitest'
import type { CommandSpec } from '../../../../src/commands/spec.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import type { Reply } from '../../../../src/resp/types.ts'

const table = buildTable()

const bulk = (text: string): Reply => make('$', Buffer.from(text))
const nil = (type: string): Reply => make(type, undefined)
const array = (...items: Reply[]): Reply => make('*', undefined, items)
const map = (...items: Reply[]): Reply => make('%', undefined, items)

function make(type: string, text: Buffer | undefined, items?: Reply[]): Reply {
  return { type: type.charCodeAt(0), text, items, attribute: undefined }
}

/** The texts that the quirk gives to be stripped. */
function stripped(name: string, reply: Reply): string[] {
  const texts: string[] = []
  ;(table.byName(name) as CommandSpec).quirk.reply?.(reply, (key) => texts.push(String(key.text)))
  return texts
}

describe('keys in replies', () => {
  test.each(['blpop', 'brpop', 'bzpopmin', 'bzpopmax', 'lmpop', 'blmpop', 'zmpop', 'bzmpop'])(
    '%s: the first',
    (name) => {
      expect(stripped(name, array(bulk('p:k'), bulk('v')))).toEqual(['p:k'])
      expect(stripped(name, array(bulk('p:k'), array(bulk('v'), bulk('w'))))).toEqual(['p:k'])
      expect(stripped(name, nil('*'))).toEqual([])
      expect(stripped(name, nil('_'))).toEqual([])
      expect(stripped(name, make('-', Buffer.from('WRONGTYPE p:k')))).toEqual([])
    },
  )

  test.each(['xread', 'xreadgroup'])('%s: the first of each pair, or each key of the map', (name) => {
    const entries = array(array(bulk('1-1'), array(bulk('p:f'), bulk('p:v'))))
    expect(stripped(name, array(array(bulk('p:a'), entries), array(bulk('p:b'), entries)))).toEqual(['p:a', 'p:b'])
    expect(stripped(name, map(bulk('p:a'), entries, bulk('p:b'), entries))).toEqual(['p:a', 'p:b'])
    expect(stripped(name, nil('*'))).toEqual([])
    expect(stripped(name, nil('_'))).toEqual([])
  })

  test('a push between the items is none of them', () => {
    const push = make('>', undefined, [bulk('message'), bulk('p:c'), bulk('p:m')])
    expect(stripped('blpop', array(push, bulk('p:k'), bulk('v')))).toEqual(['p:k'])
    expect(stripped('xread', map(bulk('p:a'), push, array(), push, bulk('p:b'), array()))).toEqual(['p:a', 'p:b'])
    expect(stripped('xread', array(push, array(push, bulk('p:a'), array())))).toEqual(['p:a'])
  })

  test.each(['blmove', 'brpoplpush', 'get', 'sort', 'mget'])('%s: none', (name) => {
    expect(stripped(name, array(bulk('p:k'), bulk('v')))).toEqual([])
  })
})

describe('keys in errors', () => {
  const prefix = Buffer.from('p:')
  const at = (name: string, text: string) => {
    const index = (table.byName(name) as CommandSpec).quirk.errorKey?.(Buffer.from(text), prefix) ?? -1
    return index === -1 ? undefined : text.slice(index)
  }

  test.each(['xreadgroup', 'xpending', 'xclaim', 'xautoclaim'])('%s', (name) => {
    expect(at(name, "NOGROUP No such key 'p:k' or consumer group 'g'")).toBe("p:k' or consumer group 'g'")
    expect(at(name, 'WRONGTYPE Operation against a key holding the wrong kind of value')).toBeUndefined()
  })

  test.each(['xinfo|consumers', 'xgroup|setid', 'xgroup|createconsumer', 'xgroup|delconsumer'])('%s', (name) => {
    expect(at(name, "NOGROUP No such consumer group 'g' for key name 'p:k'")).toBe("p:k'")
    expect(at(name, "NOGROUP No such consumer group '' for key name 'x' for key name 'p:k'")).toBe("p:k'")
    expect(at(name, "NOGROUP No such consumer group 'g' for key name 'other:k'")).toBeUndefined()
    expect(at(name, 'ERR no such key')).toBeUndefined()
  })
})
