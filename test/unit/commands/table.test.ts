import { describe, expect, test } from 'vitest'
import { QUIRKS } from '../../../src/commands/quirks/index.ts'
import {
  EXCEPTIONS,
  MODULES,
  NOT_REVIEWED,
  PASSTHROUGH,
  REASONS,
  REVIEWED,
  SESSION,
} from '../../../src/commands/reviewed.ts'
import { type CommandSpec, FLAG, type KeySpec } from '../../../src/commands/spec.ts'
import { ROWS } from '../../../src/commands/table.generated.ts'
import { buildTable } from '../../../src/commands/table.ts'

const table = buildTable()
const spec = (name: string) => table.byName(name) as CommandSpec
const tenantNames = [...REVIEWED, ...MODULES].flatMap((group) => group.names)
const passthroughNames = PASSTHROUGH.flatMap((group) => group.names)
const rowsWithout = (name: string) => ROWS.filter((row) => row.split(' ')[0] !== name)

/** Key specs that do not tell for sure where a key is. */
const isVague = ({ begin, find }: KeySpec) => begin === 'unknown' || 'keyword' in begin || find === 'unknown'

describe('the table', () => {
  test('every spec stands at its index', () => {
    expect(table.all().map((each) => each.index)).toEqual(table.all().map((_, i) => i))
  })

  test('facts of a few commands', () => {
    expect(spec('get')).toMatchObject({
      arity: 2,
      firstKey: 1,
      lastKey: 1,
      keyStep: 1,
      route: 'shared',
      open: 'tenant',
    })
    expect(spec('get').flags & FLAG.READONLY).toBe(FLAG.READONLY)
    expect(spec('mset')).toMatchObject({ arity: -3, firstKey: 1, lastKey: -1, keyStep: 2 })
    expect(spec('bitop')).toMatchObject({ firstKey: 2, lastKey: -1, keyStep: 1 })
    expect(spec('blpop')).toMatchObject({ firstKey: 1, lastKey: -2, keyStep: 1, route: 'blocking' })
    expect(spec('rename')).toMatchObject({ firstKey: 1, lastKey: 2, keyStep: 1 })
    expect(spec('zunionstore')).toMatchObject({ firstKey: -1 })
    expect(spec('xread')).toMatchObject({ firstKey: -1, route: 'blocking' })
    expect(spec('object|encoding')).toMatchObject({ firstKey: 2, lastKey: 2, open: 'tenant' })
    expect(spec('spublish')).toMatchObject({ firstKey: 0 })
    expect(spec('multi')).toMatchObject({ route: 'transaction', firstKey: 0 })
    expect(spec('wait')).toMatchObject({ route: 'wait' })
    expect(spec('auth').flags & FLAG.NO_AUTH).toBe(FLAG.NO_AUTH)
  })

  test('where servers differ, the widest arity and the narrowest promise hold', () => {
    const merged = buildTable([
      'a 3 readonly,fast read,string 1/0,1,0/RO @redis-7.0.15',
      'a -4 write string 1/0,1,0/RW @valkey-8.0.1',
      'b 2 readonly read - @valkey-8.0.1',
    ])
    expect(merged.byName('a')).toMatchObject({ arity: -3, flags: FLAG.WRITE, categories: ['read', 'string'] })
    expect(merged.byName('b')).toMatchObject({ arity: 2, flags: FLAG.READONLY })
  })

  test('servers that disagree about keys are not papered over', () => {
    const rows = ['a 3 readonly read 1/0,1,0/RO @redis-7.0.15', 'a 3 readonly read 2/0,1,0/RO @valkey-8.0.1']
    expect(() => buildTable(rows)).toThrow(/disagree about the keys of a/)
  })
})

describe('who may run what', () => {
  test('a command in no list is refused', () => {
    const grown = buildTable([...ROWS, 'brandnew -2 readonly,fast read 1/0,1,0/RO'])
    expect(grown.byName('brandnew')).toMatchObject({ open: 'refused', refusal: NOT_REVIEWED })
  })

  test.each(['get', 'set', 'del', 'hgetall', 'lpush', 'zadd', 'xadd', 'blpop', 'multi', 'xgroup|create'])(
    'without its row %s is unknown',
    (name) => {
      const less = buildTable(rowsWithout(name))
      const [container, sub] = name.split('|')
      const bytes = Buffer.from(container)
      const found = less.find(bytes, 0, bytes.length)
      const subBytes = Buffer.from(sub ?? '')
      expect(
        sub === undefined ? found : less.findSub(found as CommandSpec, subBytes, 0, subBytes.length),
      ).toBeUndefined()
      expect(less.byName(name)).toBeUndefined()
      expect(table.byName(name)?.open).toBe('tenant')
    },
  )

  test('the lists name existing commands, each once', () => {
    const all = [...tenantNames, ...passthroughNames]
    expect(all.filter((name) => table.byName(name) === undefined)).toEqual([])
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([])
    expect([...REASONS.keys()].filter((name) => table.byName(name) === undefined)).toEqual([])
    expect([...REASONS.keys()].filter((name) => tenantNames.includes(name))).toEqual([])
  })

  test('the lists name subcommands, not their containers, except COMMAND, which is both', () => {
    const containers = [...tenantNames, ...passthroughNames].filter((name) => spec(name).subcommands !== undefined)
    expect(containers).toEqual(['command'])
  })

  test('everything that is not open says why', () => {
    for (const each of table.all()) {
      if (each.open === 'tenant') expect(each.refusal, each.name).toBe('')
      else expect(each.refusal, each.name).not.toBe('')
    }
    const unexplained = table.all().filter((each) => each.refusal === NOT_REVIEWED)
    expect(unexplained.map((each) => each.name)).toEqual([])
  })

  test('what is refused with some arguments only is written down', () => {
    const names = table.all().filter((each) => each.quirk.refuses !== undefined)
    expect([...EXCEPTIONS.keys()].sort()).toEqual(names.map((each) => each.name))
  })

  test('a container is open when one of its subcommands is', () => {
    expect(spec('object').open).toBe('tenant')
    expect(spec('script').open).toBe('script')
    expect(spec('function').open).toBe('function')
    expect(spec('memory').open).toBe('tenant')
    expect(spec('acl').open).toBe('tenant')
    expect(spec('module').open).toBe('refused')
  })

  test('what tenants must never reach is refused', () => {
    const names = [
      'eval',
      'fcall',
      'function|load',
      'config|rewrite',
      'debug',
      'migrate',
      'module|load',
      'replicaof',
      'swapdb',
      'acl|setuser',
    ]
    for (const name of names) expect(spec(name).open, name).not.toBe('tenant')
  })
})

describe('the lists against the facts of the table', () => {
  const reviewed = tenantNames.map(spec)

  test('a key spec that is not certain has a quirk', () => {
    const vague = reviewed.filter((each) => each.keySpecs.some(isVague))
    expect(vague.map((each) => each.name)).toContain('xread')
    expect(vague.filter((each) => each.quirk.keys === undefined).map((each) => each.name)).toEqual([])
  })

  test('every command that blocks says for how long', () => {
    const blocking = reviewed.filter((each) => each.flags & FLAG.BLOCKING && each.route !== 'wait')
    expect(blocking.map((each) => each.name)).toContain('bzmpop')
    expect(blocking.filter((each) => each.quirk.blocks === undefined).map((each) => each.name)).toEqual([])
    expect(reviewed.filter((each) => (each.route === 'blocking') !== (each.quirk.blocks !== undefined))).toEqual([])
  })

  test('nothing for pub/sub or the administrator goes upstream as it is', () => {
    const suspicious = reviewed.filter((each) => each.flags & (FLAG.PUBSUB | FLAG.ADMIN))
    const asItIs = suspicious.filter(
      ({ route, quirk }) => route === 'shared' && quirk.forward === undefined && quirk.channel === undefined,
    )
    expect(asItIs.map((each) => each.name)).toEqual([])
  })

  test('a command without keys is of the session, of a transaction, help, or Keyward’s own work', () => {
    const own = ({ route, quirk }: CommandSpec) =>
      /job|pubsub|local/.test(route) || quirk.forward !== undefined || quirk.channel !== undefined
    const keyless = reviewed.filter((each) => each.firstKey === 0 && !SESSION.names.includes(each.name) && !own(each))
    expect(keyless.map((each) => each.name).sort()).toEqual([
      'discard',
      'exec',
      'memory|help',
      'multi',
      'object|help',
      'pubsub|help',
      'unwatch',
      'wait',
      'waitaof',
      'xgroup|help',
      'xinfo|help',
    ])
  })

  test('every command of the session is answered here', () => {
    const unanswered = SESSION.names.filter((name) => {
      const quirk = QUIRKS.get(name)
      return quirk?.answer === undefined && quirk?.forward === undefined
    })
    expect(unanswered).toEqual([])
  })

  test('no quirk is for a command that does not exist', () => {
    expect([...QUIRKS.keys()].filter((name) => table.byName(name) === undefined)).toEqual([])
  })
})
