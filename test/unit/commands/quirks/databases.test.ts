import { beforeEach, describe, expect, test } from 'vitest'
import type { CommandSpec, Quirk } from '../../../../src/commands/spec.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

/** What MOVE and COPY send in place of what the client sent, or answer themselves. */
const five = tenant('acme', { databases: 5 })
let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  client = clientOf(five)
})

const clientOf = (of: typeof five) => new LocalClient(server, authenticator({}, { tenant: of, user: 'default' }))

/** The words that go upstream, or the reply. \0 in a word is a NUL. */
function run(line: string): string | string[] {
  const result = client.run(...line.split(' ').map((word) => word.replaceAll('\\0', '\0')))
  return typeof result === 'string' ? result : result.map((arg) => arg.toString('latin1'))
}

describe('MOVE', () => {
  test('is RENAMENX from one prefix to another', () => {
    expect(run('MOVE k 3')).toEqual(['RENAMENX', 'acme:0:k', 'acme:3:k'])
    client.ask('SELECT', '4')
    expect(run('move acme:0:k 0')).toEqual(['RENAMENX', 'acme:4:acme:0:k', 'acme:0:acme:0:k'])
  })

  test.each([
    ['MOVE k 0', '-ERR source and destination objects are the same\r\n'],
    ['MOVE k 5', '-ERR DB index is out of range\r\n'],
    ['MOVE k -1', '-ERR DB index is out of range\r\n'],
    ['MOVE k 2147483648', '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n'],
    ['MOVE k 9223372036854775808', '-ERR value is not an integer or out of range\r\n'],
    ['MOVE k 01', '-ERR value is not an integer or out of range\r\n'],
  ])('%s', (line, reply) => expect(run(line)).toBe(reply))

  test('a key that is not there is no error', () => {
    const { instead } = (buildTable().byName('move') as CommandSpec).quirk as Required<Pick<Quirk, 'instead'>>
    expect(String(instead('ERR no such key'))).toBe(':0\r\n')
    expect(instead('READONLY You can’t write against a read only replica.')).toBeUndefined()
  })
})

describe('COPY', () => {
  test('DB is the prefix of the destination', () => {
    expect(run('COPY a b')).toEqual(['COPY', 'acme:0:a', 'acme:0:b'])
    expect(run('COPY a b DB 3 REPLACE')).toEqual(['COPY', 'acme:0:a', 'acme:3:b', 'REPLACE'])
    expect(run('COPY a b replace\\0 db\\0x 1')).toEqual(['COPY', 'acme:0:a', 'acme:1:b', 'REPLACE'])
    expect(run('COPY a b DB 1 DB 2')).toEqual(['COPY', 'acme:0:a', 'acme:2:b'])
    expect(run('COPY db replace')).toEqual(['COPY', 'acme:0:db', 'acme:0:replace'])
    client.ask('SELECT', '4')
    expect(run('COPY a a DB 0')).toEqual(['COPY', 'acme:4:a', 'acme:0:a'])
    // That they are the same is for the server to see.
    expect(run('COPY a a DB 4')).toEqual(['COPY', 'acme:4:a', 'acme:4:a'])
  })

  test.each([
    ['COPY a b DB 5', '-ERR DB index is out of range\r\n'],
    ['COPY a b DB -1 NEW', '-ERR DB index is out of range\r\n'],
    ['COPY a b NEW DB 9', '-ERR syntax error\r\n'],
    ['COPY a b DB', '-ERR syntax error\r\n'],
    ['COPY a b DBS 1', '-ERR syntax error\r\n'],
    ['COPY a b DB 1x', '-ERR value is not an integer or out of range\r\n'],
    ['COPY a b DB 2147483648', '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n'],
  ])('%s', (line, reply) => expect(run(line)).toBe(reply))
})

test.each([
  ['one database', tenant('acme')],
  ['no prefix', tenant('alone', { prefix: '' })],
])('a tenant with %s stays in it', (_, of) => {
  client = clientOf(of)
  expect(run('MOVE k 1')).toBe('-ERR DB index is out of range\r\n')
  expect(run('MOVE k 0')).toBe('-ERR source and destination objects are the same\r\n')
  expect(run('COPY a b DB 1')).toBe('-ERR DB index is out of range\r\n')
  expect(run('COPY a b DB 0')).toEqual(['COPY', `${of.prefix}a`, `${of.prefix}b`])
})
