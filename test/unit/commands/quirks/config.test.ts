import { beforeEach, expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const acme = tenant('acme', { databases: 5, maxClients: 200 })

let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  client = new LocalClient(server, authenticator({}, { tenant: acme, user: 'default' }))
})

/** Names and values of a reply in RESP2. */
function get(...patterns: string[]): Map<string, string> {
  const words = client
    .ask('CONFIG', 'GET', ...patterns)
    .split('\r\n')
    .slice(1, -1)
    .filter((_, i) => i % 2 === 1)
  const found = new Map<string, string>()
  for (let i = 0; i < words.length; i += 2) found.set(words[i], words[i + 1])
  return found
}

test('what holds for this tenant', () => {
  expect(get('databases', 'maxclients', 'port')).toEqual(
    new Map([
      ['databases', '5'],
      ['maxclients', '200'],
      ['port', '6380'],
    ]),
  )
  client.session.tenant = tenant('solo')
  expect(get('databases', 'maxclients')).toEqual(
    new Map([
      ['databases', '1'],
      ['maxclients', '10000'],
    ]),
  )
})

test("the policy is the upstream's, its memory limit is not told", () => {
  expect(get('maxmemory*').get('maxmemory-policy')).toBe('noeviction')
  server.facts = {
    ...server.facts,
    info: new Map([
      ['maxmemory_policy', 'allkeys-lru'],
      ['maxmemory', '1000000'],
    ]),
  }
  expect(get('maxmemory*')).toEqual(
    new Map([
      ['maxmemory', '0'],
      ['maxmemory-policy', 'allkeys-lru'],
    ]),
  )
  client.session.tenant = tenant('alone', { prefix: '' })
  expect(get('maxmemory')).toEqual(new Map([['maxmemory', '1000000']]))
})

test('each parameter once, however often it is found', () => {
  expect([...get('SAVE', 'save', 's?ve', 'save*')]).toEqual([['SAVE', '']])
  expect([...get('appendonly', 'append*').keys()]).toEqual(['appendonly', 'appendfsync'])
})

test('nothing that gives the server or its operator away', () => {
  const names = [...get('*').keys()]
  expect(names.length).toBeGreaterThan(20)
  for (const name of [
    'requirepass',
    'masterauth',
    'dir',
    'dbfilename',
    'aclfile',
    'logfile',
    'pidfile',
    'tls-key-file',
  ]) {
    expect(names).not.toContain(name)
    expect(client.ask('CONFIG', 'GET', name)).toBe('*0\r\n')
  }
})

test('patterns that nothing can match', () => {
  expect(client.ask('CONFIG', 'GET', '__proto__', 'constructor', 'toString', '', 'm\\axmemory')).toBe('*0\r\n')
  expect(client.ask('CONFIG', 'GET', `max${'*'.repeat(2000)}`)).toBe('*0\r\n')
})

test('a map in RESP3', () => {
  client.ask('HELLO', '3')
  expect(client.ask('CONFIG', 'GET', 'timeout')).toBe('%1\r\n$7\r\ntimeout\r\n$1\r\n0\r\n')
  expect(client.ask('CONFIG', 'GET', 'nosuch')).toBe('%0\r\n')
})

test('CONFIG SET takes notify-keyspace-events alone, in any case, and tells of its mistakes in Redis’ words', () => {
  expect(client.ask('CONFIG', 'SET', 'Notify-Keyspace-Events', 'KEA')).toBe('+OK\r\n')
  expect(get('notify-keyspace-events')).toEqual(new Map([['notify-keyspace-events', 'KEA']]))
  expect(client.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Q')).toBe(
    "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.\r\n",
  )
  expect(client.ask('CONFIG', 'SET', 'notify-keyspace-events', 'K', 'notify-keyspace-events', 'E')).toMatch(
    /duplicate parameter/,
  )
  expect(client.ask('CONFIG', 'SET', 'notify-keyspace-events', 'K', 'hz', '1')).toBe(
    "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n",
  )
  expect(get('notify-keyspace-events')).toEqual(new Map([['notify-keyspace-events', 'KEA']]))
})
