import { beforeEach, describe, expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  client = new LocalClient(server, authenticator({}, { tenant: tenant('acme'), user: 'default' }))
})

const list = (...words: string[]) =>
  [...client.ask('COMMAND', 'LIST', ...words).matchAll(/^\$\d+\r\n(.*)\r$/gm)].map(([, name]) => name)
const forwarded = (...words: string[]) =>
  (client.run('COMMAND', ...words) as Buffer[]).map((arg) => arg.toString('latin1'))

describe('LIST and COUNT', () => {
  test('have what the tenant may run', () => {
    const names = list()
    expect(names).toEqual(expect.arrayContaining(['get', 'xgroup|create', 'client', 'client|id', 'config|get']))
    for (const closed of ['fcall', 'function|load', 'script|debug', 'config|resetstat', 'debug'])
      expect(names).not.toContain(closed)
    expect(new Set(names).size).toBe(names.length)
    expect(client.ask('COMMAND', 'COUNT')).toBe(`:${names.filter((name) => !name.includes('|')).length}\r\n`)
  })

  test('more for the tenant without a prefix', () => {
    const few = list().length
    expect(list()).not.toContain('fcall')
    client = new LocalClient(server, authenticator({}, { tenant: tenant('alone', { prefix: '' }), user: 'default' }))
    expect(list()).toEqual(expect.arrayContaining(['eval', 'fcall', 'script|load']))
    expect(list().length).toBeGreaterThan(few)
  })

  test('filters', () => {
    expect(list('FILTERBY', 'PATTERN', 'z*STORE').sort()).toEqual([
      'zdiffstore',
      'zinterstore',
      'zrangestore',
      'zunionstore',
    ])
    expect(list('filterby', 'aclcat', 'HyperLogLog').sort()).toEqual(['pfadd', 'pfcount', 'pfmerge'])
    expect(list('FILTERBY', 'ACLCAT', '@hyperloglog')).toEqual([])
    expect(list('FILTERBY', 'MODULE', 'json')).toEqual([])
    expect(client.ask('COMMAND', 'LIST', 'FILTERBY', 'FOO', 'x')).toBe('-ERR syntax error\r\n')
    expect(client.ask('COMMAND', 'LIST', 'FILTERBY', 'PATTERN')).toBe('-ERR syntax error\r\n')
  })
})

describe('questions to the upstream', () => {
  test('without names they are about what is open', () => {
    const top = list().filter((name) => !name.includes('|'))
    expect(forwarded()).toEqual(['COMMAND', 'INFO', ...top])
    expect(forwarded('info')).toEqual(['COMMAND', 'INFO', ...top])
    expect(forwarded('Docs')).toEqual(['COMMAND', 'DOCS', ...top])
  })

  test('names that are not open become one that does not exist', () => {
    expect(forwarded('INFO', 'get', 'FCALL', 'nosuch', 'client|ID', 'script|debug')).toEqual([
      ...['COMMAND', 'INFO', 'get', 'keyward-none', 'keyward-none', 'client|ID', 'keyward-none'],
    ])
    expect(server.command('keyward-none')).toBeUndefined()
    expect(forwarded('DOCS', 'fcall', 'x'.repeat(1000))).toEqual(['COMMAND', 'DOCS', 'keyward-none', 'keyward-none'])
  })

  test('GETKEYS passes the whole command on', () => {
    expect(forwarded('GETKEYS', 'MSET', 'a', '1', 'b', '\xff\0')).toEqual([
      'COMMAND',
      'GETKEYS',
      'MSET',
      'a',
      '1',
      'b',
      '\xff\0',
    ])
    expect(forwarded('getkeysandflags', 'xinfo', 'STREAM', 's')).toEqual([
      'COMMAND',
      'getkeysandflags',
      'xinfo',
      'STREAM',
      's',
    ])
  })

  test('GETKEYS of what is not open', () => {
    for (const inner of [
      ['FCALL', 'x', '0'],
      ['nosuch', 'a'],
      ['client', 'import-source'],
      ['client', 'nosuch'],
      ['client|id', 'a'],
      ['config', 'rewrite'],
    ]) {
      expect(forwarded('GETKEYS', ...inner)[2]).toBe('keyward-none')
    }
  })
})
