import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { EXTENSION_COMMANDS } from '../../../src/commands/extensions.ts'
import { mayWrite } from '../../../src/commands/may-write.ts'
import { isOpenTo } from '../../../src/commands/open-to.ts'
import { EXTENSIONS } from '../../../src/commands/reviewed.ts'
import { type CommandSpec, FLAG } from '../../../src/commands/spec.ts'
import { ROWS } from '../../../src/commands/table.generated.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { STATUS, THROTTLE } from '../../../src/commands/throttle-script.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../../helpers/local-client.ts'
import { keyward } from '../cli/terminal.ts'

const table = buildTable()
const spec = (name: string) => table.byName(name) as CommandSpec
const THROTTLED = { extensions: new Set(['throttle'] as const) }

let server: FakeServer
let client: LocalClient

const clientOf = (more: Parameters<typeof tenant>[1]) =>
  new LocalClient(server, authenticator({}, { tenant: tenant('acme', more), user: 'default' }))

beforeEach(() => {
  server = new FakeServer()
  client = clientOf(THROTTLED)
})

const sent = (...words: string[]) => {
  const answer = client.run(...words)
  return typeof answer === 'string' ? answer : answer.map((arg) => arg.toString('latin1'))
}
const listed = (...words: string[]) =>
  [...client.ask('COMMAND', 'LIST', ...words).matchAll(/^\$\d+\r\n(.*)\r$/gm)].map(([, name]) => name)

describe('what is sent', () => {
  test('one EVAL that names one key, with what the numbers come to', () => {
    expect(sent('CL.THROTTLE', 'k', '15', '30', '60')).toEqual(
      ['EVAL', THROTTLE, '1', 'acme:k', '2000000000', '16', '1'].map(String),
    )
    expect(sent('cl.throttle', 'k', '0', '3', '1', '7')).toEqual(
      ['EVAL', THROTTLE, '1', 'acme:k', '333333333', '1', '7'].map(String),
    )
    expect(sent('CL.STATUS', 'k', '4', '1', '3600')).toEqual(
      ['EVAL', STATUS, '1', 'acme:k', '3600000000000', '5', '1'].map(String),
    )
  })

  test('any bytes are a key', () => {
    expect(sent('CL.THROTTLE', '\xff\0 \r\n', '1', '1', '1')[3]).toBe('acme:\xff\0 \r\n')
    expect(sent('CL.THROTTLE', '', '1', '1', '1')[3]).toBe('acme:')
    client = clientOf({ ...THROTTLED, prefix: '' })
    expect(sent('CL.THROTTLE', 'k', '1', '1', '1')[3]).toBe('k')
    client = clientOf({ ...THROTTLED, databases: 4 })
    expect(sent('CL.THROTTLE', 'k', '1', '1', '1')[3]).toBe('acme:0:k')
  })

  test('numbers as the module reads them', () => {
    expect(sent('CL.THROTTLE', 'k', '+015', '0030', '+60', '-2').slice(4)).toEqual(['2000000000', '16', '-2'])
    expect(sent('CL.THROTTLE', 'k', '-1', '1', '1', '0').slice(4)).toEqual(['1000000000', '0', '0'])
    expect(sent('CL.THROTTLE', 'k', '9007199254740990', '1000000000', '1').slice(4, 6)).toEqual([
      '1',
      '9007199254740991',
    ])
  })

  test('few bytes, as they travel with every call', () => {
    expect(THROTTLE.length).toBeLessThanOrEqual(720)
    expect(STATUS.length).toBeLessThanOrEqual(560)
    expect(String(STATUS)).not.toContain('SET')
    expect(String(THROTTLE)).toContain("'SET'")
  })
})

describe('wrong arguments are told in the words of the module', () => {
  const usage = '-Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]\r\n'
  const parse = (text: string) => `-Cell error: Couldn't parse as integer: ${text}\r\n`
  const zero = '-Cell error: Zero rates are not supported\r\n'
  const negative = '-Cell error: Negative rates are not supported\r\n'
  const long = '-Cell error: An empty bucket takes more than 146 years to fill\r\n'
  test.each([
    ['', usage],
    ['k', usage],
    ['k 1 1', usage],
    ['k 1 1 1 1 1', usage],
    ['k x 1 1', parse('x')],
    ['k 1.5 y 1', parse('1.5')],
    ['k 1 1e3 1', parse('1e3')],
    ['k 1 1 0x10', parse('0x10')],
    ['k 1 1 1 --1', parse('--1')],
    ['k 1 1 1 +', parse('+')],
    ['k 0 0 0 x', parse('x')],
    ['k 9007199254740992 1 1', parse('9007199254740992')],
    ['k 1 99999999999999999999 1', parse('99999999999999999999')],
    [`k ${'7'.repeat(200)} 1 1`, parse('7'.repeat(128))],
    ['k 1 0 60', zero],
    ['k 1 30 0', zero],
    ['k 1 -30 0', zero],
    ['k 1 1000000001 1', zero],
    ['k 1 -30 60', negative],
    ['k 1 30 -60', negative],
    ['k 1 -30 -60', negative],
    ['k 0 1 4611686019', long],
    ['k 4611686018 1 1', long],
    ['k 9007199254740991 1 9007199254740991', long],
  ])('%s', (words, error) => {
    expect(client.ask('CL.THROTTLE', ...words.split(' ').filter(Boolean))).toBe(error)
  })

  test('an empty one, and one with line breaks', () => {
    expect(client.ask('CL.THROTTLE', 'k', '', '1', '1')).toBe(parse(''))
    expect(client.ask('CL.THROTTLE', 'k', ' 1', '1', '1')).toBe(parse(' 1'))
    expect(client.ask('CL.THROTTLE', 'k', '1\r\n+OK', '1', '1')).toBe(parse('1  +OK'))
  })

  test('the longest bucket is one of 146 years', () => {
    expect(sent('CL.THROTTLE', 'k', '0', '1', '4611686018')).toHaveLength(7)
    expect(sent('CL.THROTTLE', 'k', '4611686017', '1', '1')).toHaveLength(7)
  })

  test('CL.STATUS takes no quantity', () => {
    const usageOfStatus = '-Cell error: Usage: cl.status <key> <max_burst> <count per period> <period>\r\n'
    expect(client.ask('CL.STATUS', 'k', '1', '1')).toBe(usageOfStatus)
    expect(client.ask('CL.STATUS', 'k', '1', '1', '1', '1')).toBe(usageOfStatus)
    expect(client.ask('CL.STATUS', 'k', '1', '1', 'x')).toBe(parse('x'))
    expect(client.ask('CL.STATUS', 'k', '1', '0', '1')).toBe(zero)
  })
})

describe('in the table', () => {
  test('what they are', () => {
    const shape = { arity: -1, firstKey: 1, lastKey: 1, keyStep: 1, route: 'shared', open: 'extension' }
    expect(spec('cl.throttle')).toMatchObject({ ...shape, extension: 'throttle', flags: FLAG.WRITE | FLAG.DENYOOM })
    expect(spec('cl.status')).toMatchObject({ ...shape, extension: 'throttle', flags: FLAG.READONLY })
    expect([spec('cl.throttle'), spec('cl.status')].map(mayWrite)).toEqual([true, false])
  })

  test('every command of an extension is reviewed, and none is a server’s', () => {
    const reviewed = EXTENSIONS.flatMap(({ title, names }) => names.map((name) => [name, title]))
    const defined = [...EXTENSION_COMMANDS].map(([name, { extension }]) => [name, extension])
    expect(reviewed.toSorted()).toEqual(defined.toSorted())
    expect(ROWS.map((row) => row.split(' ')[0]).filter((name) => EXTENSION_COMMANDS.has(name))).toEqual([])
  })

  test('open for tenants with the extension, with a prefix and without', () => {
    for (const [name, { extension }] of EXTENSION_COMMANDS) {
      for (const prefix of ['acme:', '']) {
        const others = new Set((['throttle', 'cache'] as const).filter((one) => one !== extension))
        const those = (extensions: typeof others) => tenant('acme', { prefix, extensions })
        expect(isOpenTo(spec(name), those(new Set([extension])), undefined), `${name} ${prefix}`).toBe(true)
        expect(isOpenTo(spec(name), those(others), undefined), `${name} ${prefix}`).toBe(false)
      }
    }
  })
})

describe('COMMAND', () => {
  const count = () => Number(client.ask('COMMAND', 'COUNT').slice(1))

  test('knows them where they are', () => {
    expect(listed()).toEqual(expect.arrayContaining(['cl.status', 'cl.throttle']))
    expect(listed('FILTERBY', 'PATTERN', 'CL.*')).toEqual(['cl.status', 'cl.throttle'])
    expect(listed('FILTERBY', 'ACLCAT', 'write')).toContain('cl.throttle')
    expect(listed('FILTERBY', 'ACLCAT', 'write')).not.toContain('cl.status')
    const more = count()
    client = clientOf({})
    expect(listed().filter((name) => name.startsWith('cl.'))).toEqual([])
    expect(count()).toBe(more - 2)
    client = clientOf({ ...THROTTLED, prefix: '' })
    expect(listed()).toEqual(expect.arrayContaining(['cl.throttle', 'eval']))
  })

  test('the upstream is not asked about them', () => {
    expect(sent('COMMAND', 'INFO', 'get', 'CL.throttle', 'cl.nope')).toEqual([
      'COMMAND',
      'INFO',
      'get',
      'keyward-none',
      'keyward-none',
    ])
    expect(sent('COMMAND')).not.toContain('cl.throttle')
    expect(sent('COMMAND', 'DOCS')).not.toContain('keyward-none')
  })

  test('GETKEYS', () => {
    const words = ['CL.THROTTLE', 'k\r\n', '1', '1', '1']
    expect(client.ask('COMMAND', 'GETKEYS', ...words)).toBe('*1\r\n$3\r\nk\r\n\r\n')
    expect(client.ask('COMMAND', 'GETKEYSANDFLAGS', ...words)).toBe(
      '*1\r\n*2\r\n$3\r\nk\r\n\r\n*3\r\n+RW\r\n+access\r\n+update\r\n',
    )
    expect(client.ask('COMMAND', 'getkeysandflags', 'cl.status', 'k')).toBe(
      '*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+RO\r\n+access\r\n',
    )
    client = clientOf({})
    expect(sent('COMMAND', 'GETKEYS', ...words)[2]).toBe('keyward-none')
  })
})

describe('keyward explain', () => {
  const dir = mkdtempSync(join(tmpdir(), 'keyward-throttle-'))
  const file = join(dir, 'k.yaml')
  writeFileSync(
    file,
    `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://a}}
tenants:
  acme: {upstream: main, extensions: [throttle], users: {default: {password: a}}}
  beta: {upstream: main, replicas: {read: prefer}, users: {default: {password: b}}}
  near: {upstream: main, replicas: {read: prefer}, extensions: [throttle], users: {default: {password: c}}}
`,
  )
  afterAll(() => rmSync(dir, { recursive: true }))
  const explain = async (name: string, ...words: string[]) =>
    (await keyward(['explain', '-c', file, '--tenant', name, ...words])).out

  test('shows key, request and route', async () => {
    const out = await explain('acme', 'CL.THROTTLE', 'k', '15', '30', '60')
    expect(out).toMatch(/^command +CL\.THROTTLE +writes @slow @write$/m)
    expect(out).toMatch(/^keys +argument 1: k becomes acme:k$/m)
    expect(out).toMatch(/^sent +EVAL "<script, \d+ bytes>" 1 acme:k 2000000000 16 1$/m)
    expect(out).toMatch(/^route +lane: a shared connection$/m)
    expect(out).not.toContain('redis.pcall')
  })

  test('goes by the clock of the primary', async () => {
    expect(await explain('near', 'CL.STATUS', 'k', '15', '30', '60')).toMatch(/^route +lane: a shared connection$/m)
  })

  test('shows what is wrong', async () => {
    expect(await explain('acme', 'CL.THROTTLE', 'k', '15', 'x', '60')).toMatch(
      /^reply +-Cell error: Couldn't parse as integer: x$/m,
    )
    const out = await explain('beta', 'CL.THROTTLE', 'k', '15', '30', '60')
    expect(out).toMatch(/^refused +only for tenants with `extensions: \[throttle\]`$/m)
    expect(out).toMatch(/^reply +-ERR unknown command 'CL\.THROTTLE', with args beginning with: 'k' '15' '30' '60' $/m)
  })
})
