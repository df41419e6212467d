import { beforeEach, describe, expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const acme = tenant('acme', { databases: 5 })
const other = tenant('other')
const ofAcme = authenticator({}, { tenant: acme, user: 'default' })

let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  client = new LocalClient(server, ofAcme)
})

/** The lines of a bulk or verbatim reply. */
const lines = (reply: string) =>
  reply
    .replace(/^[$=]\d+\r\n(txt:)?/, '')
    .replace(/\r\n$/, '')
    .split('\n')
    .slice(0, -1)
const fields = (line: string) =>
  Object.fromEntries(
    line.split(' ').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  )

describe('CLIENT LIST', () => {
  test('shows what a client set, in the order of the fields of Redis', () => {
    client.ask('SELECT', '2')
    client.ask('CLIENT', 'SETNAME', 'worker-1')
    client.ask('CLIENT', 'SETINFO', 'LIB-NAME', 'redis-py(x)')
    client.ask('CLIENT', 'SETINFO', 'lib-ver', '5.0')
    server.time += 7900
    const [line] = lines(client.ask('CLIENT', 'LIST'))
    expect(line.replace(/idle=\d+/, 'idle=0')).toBe(
      'id=1 addr=127.0.0.1:40001 laddr=127.0.0.1:6380 fd=1 name=worker-1 age=7 idle=0 flags=N db=2 sub=0 psub=0 ssub=0 ' +
        'multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r ' +
        'cmd=client|list user=default redir=-1 resp=2 lib-name=redis-py(x) lib-ver=5.0',
    )
  })

  test('idle is what has passed on the process clock, and never more than the age', () => {
    server.time += 500_000
    client.session.lastActive = performance.now() - 100_000
    const idle = Number(fields(lines(client.ask('CLIENT', 'INFO'))[0]).idle)
    expect(idle).toBeGreaterThanOrEqual(100)
    expect(idle).toBeLessThan(500)
    server.time -= 490_000
    expect(fields(lines(client.ask('CLIENT', 'INFO'))[0])).toMatchObject({ age: '10', idle: '10' })
  })

  test('has only the clients of this tenant', () => {
    const friend = new LocalClient(server, ofAcme)
    const stranger = new LocalClient(server, authenticator({}, { tenant: other, user: 'default' }))
    friend.session.lastCommand = 'blpop'
    const seen = lines(client.ask('CLIENT', 'LIST')).map(fields)
    expect(seen.map(({ id, cmd }) => [id, cmd])).toEqual([
      ['1', 'client|list'],
      ['2', 'blpop'],
    ])
    const { id } = stranger.session
    expect(client.ask('CLIENT', 'LIST', 'ID', String(id))).toBe('$0\r\n\r\n')
    const picked = lines(client.ask('CLIENT', 'LIST', 'ID', '2', String(id), '1', '2')).map((line) => fields(line).id)
    expect(picked).toEqual(['2', '1', '2'])
    expect(lines(client.ask('CLIENT', 'LIST', 'TYPE', 'normal'))).toHaveLength(2)
    expect(client.ask('CLIENT', 'LIST')).not.toContain('acme')
  })

  test('tells of flags and of unix sockets', () => {
    client.ask('CLIENT', 'NO-EVICT', 'on')
    client.ask('CLIENT', 'NO-TOUCH', 'on')
    expect(fields(lines(client.ask('CLIENT', 'INFO'))[0]).flags).toBe('eT')
    client.ask('CLIENT', 'NO-EVICT', 'off')
    client.ask('CLIENT', 'NO-TOUCH', 'off')
    expect(fields(lines(client.ask('CLIENT', 'INFO'))[0]).flags).toBe('N')
    Object.assign(client.endpoint, { address: '/run/keyward.sock:0' })
    expect(fields(lines(client.ask('CLIENT', 'INFO'))[0])).toMatchObject({ addr: '/run/keyward.sock:0', flags: 'U' })
  })

  test('ends with the client where it would pass the output limit', () => {
    const small = tenant('small', { buffers: { request: 1000, output: 1000, pubsub: 1000 } })
    const greedy = new LocalClient(server, authenticator({}, { tenant: small, user: 'default' }))
    const { id } = greedy.session
    expect(lines(greedy.ask('CLIENT', 'LIST', 'ID', `${id}`, `${id}`))).toHaveLength(2)
    expect(greedy.ask('CLIENT', 'LIST', 'ID', ...Array(10).fill(`${id}`))).toBe('-ERR output buffer limit reached\r\n')
    expect(greedy.closed).toBe(true)
  })
})

describe('names', () => {
  test('cannot forge fields or lines of CLIENT LIST', () => {
    for (const bad of ['a b', 'a\nid=1', 'a\r', '\0', 'é', '\x7f', 'x'.repeat(1025)]) {
      expect(client.ask('CLIENT', 'SETNAME', bad)).toBe(
        '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
      )
      expect(client.ask('CLIENT', 'SETINFO', 'Lib-Name', bad)).toBe(
        '-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n',
      )
    }
    expect(client.session).toMatchObject({ name: '', libName: '' })
  })

  test('come back, and an empty one is none', () => {
    client.ask('CLIENT', 'SETNAME', 'a~!b')
    expect(client.ask('CLIENT', 'GETNAME')).toBe('$4\r\na~!b\r\n')
    client.ask('CLIENT', 'SETNAME', '')
    expect(client.ask('CLIENT', 'GETNAME')).toBe('$-1\r\n')
  })

  test('SETINFO knows two attributes', () => {
    expect(client.ask('CLIENT', 'SETINFO', 'lib\r\nx', 'v')).toBe("-ERR Unrecognized option 'lib  x'\r\n")
    expect(client.ask('CLIENT', 'SETINFO', 'LIB-NAME')).toBe(
      "-ERR wrong number of arguments for 'client|setinfo' command\r\n",
    )
    expect(client.ask('CLIENT', 'SETINFO', 'LIB-VER', '')).toBe('+OK\r\n')
  })
})

describe('CLIENT REPLY', () => {
  test('OFF and SKIP have no reply and leave the mode to the reply queue', () => {
    expect(client.ask('CLIENT', 'REPLY', 'SKIP')).toBe('')
    expect(client.session.replyMode).toBe('skip')
    client.session.replyMode = 'on'
    expect(client.ask('CLIENT', 'REPLY', 'OFF')).toBe('')
    expect(client.session.replyMode).toBe('off')
  })

  test('SKIP does not end OFF, ON does', () => {
    client.ask('CLIENT', 'REPLY', 'OFF')
    client.ask('CLIENT', 'REPLY', 'SKIP')
    expect(client.session.replyMode).toBe('off')
    expect(client.ask('CLIENT', 'REPLY', 'ON')).toBe('+OK\r\n')
    expect(client.session.replyMode).toBe('on')
  })
})

test('HELP promises nothing that is refused', () => {
  const promised = [...client.ask('CLIENT', 'HELP').matchAll(/^\+([A-Z-]+)/gm)].map(([, name]) => name).slice(1)
  expect(promised).toContain('SETINFO')
  for (const name of promised) expect(client.ask('CLIENT', name, 'x')).not.toContain('unknown subcommand')
  expect(client.ask('CLIENT', 'IMPORT-SOURCE', 'x')).toContain('unknown subcommand')
})
