import { beforeEach, describe, expect, test } from 'vitest'
import type { Authenticator } from '../../../../src/session/session.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const acme = tenant('acme', { databases: 5 })
const solo = tenant('solo')
const legacy = tenant('legacy', { upstream: 'old' })
const required: Authenticator = authenticator({
  default: ['secret', { tenant: acme, user: 'default' }],
  reader: ['r', { tenant: acme, user: 'reader' }],
  'solo/default': ['s', { tenant: solo, user: 'default' }],
  'legacy/default': ['l', { tenant: legacy, user: 'default' }],
  müller: ['m', { tenant: acme, user: 'müller' }],
})
const optional = authenticator({ reader: ['r', { tenant: acme, user: 'reader' }] }, { tenant: acme, user: 'default' })

const WRONGPASS = '-WRONGPASS invalid username-password pair or user is disabled.\r\n'
const NOPROTO = '-NOPROTO unsupported protocol version\r\n'

let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  server.factsOf.set(legacy, { ...server.facts, redisVersion: '5.0.14', resp3: false })
  client = new LocalClient(server, optional)
})

describe('AUTH', () => {
  test('a password alone is that of user default', () => {
    client = new LocalClient(server, required)
    expect(client.ask('AUTH', 'wrong')).toBe(WRONGPASS)
    expect(client.session.tenant).toBeUndefined()
    expect(client.ask('AUTH', 'secret')).toBe('+OK\r\n')
    expect(client.session).toMatchObject({ tenant: acme, user: 'default' })
  })

  test('user and password, also of a tenant by name and with letters beyond ASCII', () => {
    client = new LocalClient(server, required)
    expect(client.ask('AUTH', 'solo/default', 's')).toBe('+OK\r\n')
    expect(client.session).toMatchObject({ tenant: solo, user: 'default' })
    expect(client.ask('AUTH', Buffer.from('müller'), 'm')).toBe('+OK\r\n')
    expect(client.session).toMatchObject({ tenant: acme, user: 'müller' })
  })

  test('a failure leaves the client logged in as it was', () => {
    client = new LocalClient(server, required)
    client.ask('AUTH', 'reader', 'r')
    client.ask('SELECT', '3')
    expect(client.ask('AUTH', 'reader', 'x')).toBe(WRONGPASS)
    expect(client.session).toMatchObject({ tenant: acme, user: 'reader', db: 3 })
  })

  test('where nobody needs a password', () => {
    expect(client.ask('AUTH', 'x')).toBe(
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n',
    )
    expect(client.ask('AUTH', 'default', 'anything')).toBe('+OK\r\n')
    expect(client.ask('AUTH', 'nobody', 'anything')).toBe(WRONGPASS)
  })

  test('not where the anonymous user has a password that others would know', () => {
    const guarded = tenant('guarded', { users: new Map([['default', { name: 'default', digest: Buffer.alloc(32) }]]) })
    client = new LocalClient(server, authenticator({}, { tenant: guarded, user: 'default' }))
    expect(client.ask('AUTH', 'x')).toBe(WRONGPASS)
    expect(client.ask('AUTH', 'default', 'x')).toBe(WRONGPASS)
  })

  test('a RESP3 client cannot enter a tenant whose upstream has no RESP3', () => {
    client = new LocalClient(server, required)
    client.ask('HELLO', '3', 'AUTH', 'reader', 'r')
    expect(client.ask('AUTH', 'legacy/default', 'l')).toBe(NOPROTO)
    expect(client.session).toMatchObject({ tenant: acme, protocol: 3 })
  })

  test('too many arguments', () => {
    expect(client.ask('AUTH', 'a', 'b', 'c')).toBe('-ERR syntax error\r\n')
  })
})

describe('HELLO', () => {
  const reply = (protocol: 2 | 3, version = '7.0.15') =>
    [
      protocol === 3 ? '%7' : '*14',
      '$6\r\nserver\r\n$5\r\nredis',
      `$7\r\nversion\r\n$${version.length}\r\n${version}`,
      `$5\r\nproto\r\n:${protocol}`,
      `$2\r\nid\r\n:${client.session.id}`,
      '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n',
    ].join('\r\n')

  test('tells what it is in the new protocol', () => {
    expect(client.ask('HELLO')).toBe(reply(2))
    expect(client.ask('HELLO', '3')).toBe(reply(3))
    expect(client.ask('CLIENT', 'GETNAME')).toBe('_\r\n')
    expect(client.ask('HELLO')).toBe(reply(3))
    expect(client.ask('HELLO', '2')).toBe(reply(2))
  })

  test('logs in and names the client', () => {
    client = new LocalClient(server, required)
    expect(client.ask('HELLO', '3', 'setname', 'me', 'auth', 'reader', 'r')).toBe(reply(3))
    expect(client.session).toMatchObject({ tenant: acme, user: 'reader', name: 'me', protocol: 3 })
  })

  test('needs a login', () => {
    client = new LocalClient(server, required)
    expect(client.ask('HELLO', '3')).toMatch(/^-NOAUTH HELLO must be called with the client already authenticated/)
    expect(client.session.protocol).toBe(2)
    expect(client.ask('HELLO', '3', 'AUTH', 'reader', 'x')).toBe(WRONGPASS)
    expect(client.session).toMatchObject({ tenant: undefined, protocol: 2 })
  })

  test('refuses what the upstream cannot speak, without logging in', () => {
    client = new LocalClient(server, required)
    expect(client.ask('HELLO', '3', 'AUTH', 'legacy/default', 'l')).toBe(NOPROTO)
    expect(client.session.tenant).toBeUndefined()
    expect(client.ask('HELLO', '2', 'AUTH', 'legacy/default', 'l')).toBe(reply(2, '5.0.14'))
    expect(client.ask('HELLO', '3')).toBe(NOPROTO)
    expect(client.session.protocol).toBe(2)
  })
})

describe('SELECT', () => {
  test('moves to the database and its prefix', () => {
    expect(client.ask('SELECT', '4')).toBe('+OK\r\n')
    expect(client.session.db).toBe(4)
    expect(client.session.prefix.toString()).toBe('acme:4:')
  })

  test('not beyond the last one', () => {
    expect(client.ask('SELECT', '5')).toBe('-ERR DB index is out of range\r\n')
    expect(client.ask('SELECT', '-1')).toBe('-ERR DB index is out of range\r\n')
    expect(client.session.db).toBe(0)
  })

  test('a tenant without databases has the first alone', () => {
    client = new LocalClient(server, authenticator({}, { tenant: solo, user: 'default' }))
    expect(client.ask('SELECT', '0')).toBe('+OK\r\n')
    expect(client.session.prefix.toString()).toBe('solo:')
    expect(client.ask('SELECT', '1')).toBe('-ERR DB index is out of range\r\n')
  })
})

test('RESET is as if just connected', () => {
  client.ask('HELLO', '3', 'AUTH', 'reader', 'r', 'SETNAME', 'me')
  client.ask('SELECT', '2')
  client.ask('CLIENT', 'NO-EVICT', 'ON')
  client.ask('CLIENT', 'REPLY', 'OFF')
  expect(client.ask('RESET')).toBe('+RESET\r\n')
  expect(client.session).toMatchObject({
    protocol: 2,
    user: 'default',
    db: 0,
    name: '',
    noEvict: false,
    replyMode: 'on',
  })
  expect(client.ask('CLIENT', 'GETNAME')).toBe('$-1\r\n')
})

test('QUIT answers, then asks for the end', () => {
  expect(client.closed).toBe(false)
  expect(client.ask('QUIT')).toBe('+OK\r\n')
  expect(client.closed).toBe(true)
})

test('PING and ECHO give back any bytes', () => {
  const bytes = Buffer.from([0, 13, 10, 255, 36])
  expect(client.ask('PING', bytes)).toBe(`$5\r\n${bytes.toString('latin1')}\r\n`)
  expect(client.ask('ECHO', bytes)).toBe(`$5\r\n${bytes.toString('latin1')}\r\n`)
  expect(client.ask('PING')).toBe('+PONG\r\n')
})
