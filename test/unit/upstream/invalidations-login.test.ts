import { beforeEach, expect, test } from 'vitest'
import { Coverage } from '../../../src/upstream/invalidations/coverage.ts'
import { TrackingLogin } from '../../../src/upstream/invalidations/tracking-login.ts'
import type { UpstreamOptions } from '../../../src/upstream/options.ts'

/** What a server says of a connection that tracks as ordered. */
const info = (flags = ['on', 'bcast'], redirect = 0, prefixes = ['a:', 'b:']) => {
  const list = (type: string, items: readonly string[]) =>
    `${type}${items.length}\r\n${items.map((item) => `$${item.length}\r\n${item}\r\n`).join('')}`
  return `%3\r\n+flags\r\n${list('~', flags)}+redirect\r\n:${redirect}\r\n+prefixes\r\n${list('*', prefixes)}`
}
const OPTIONS = { user: 'me', password: 'secret' } as UpstreamOptions
const SERVER = '=31\r\ntxt:redis_version:7\r\nrun_id:abc12\r\n'

let login: TrackingLogin
let sent: string

beforeEach(() => begin(undefined))

function begin(mustBe: 'master' | undefined, prefixes = ['b:', 'a:']): void {
  login = new TrackingLogin(OPTIONS, mustBe, new Coverage(prefixes))
  sent = login
    .begin()
    .toString('latin1')
    .replaceAll(/[*$]\d+\r\n/g, '')
    .replaceAll('\r\n', ' ')
}

const say = (text: string) => login.reply(text.charCodeAt(0), Buffer.from(text, 'latin1'))
const rounds = (...texts: string[]) => texts.map(say)

test('logs in by RESP3 and asks for what is wanted, in one write', () => {
  expect(sent).toBe(
    'HELLO 3 AUTH me secret CLIENT SETNAME keyward CLIENT NO-EVICT ON INFO server ' +
      'CLIENT TRACKING ON BCAST PREFIX a: PREFIX b: CLIENT TRACKINGINFO ',
  )
  const answers = rounds('%0\r\n', '+OK\r\n', '+OK\r\n', SERVER, '+OK\r\n', info())
  expect(answers).toEqual([undefined, undefined, undefined, undefined, undefined, 'ready'])
  expect(login.runId).toBe('abc12')
  expect(login.refusal).toBeUndefined()
})

test('without a prefix the server has taken the empty one', () => {
  begin(undefined, [''])
  expect(sent).toContain('BCAST CLIENT TRACKINGINFO')
  rounds('%0\r\n', '+OK\r\n', '+OK\r\n', SERVER, '+OK\r\n')
  expect(say(info(['on', 'bcast'], 0, ['']))).toBe('ready')
})

test('pushes in between answer nothing', () => {
  rounds('%0\r\n', '+OK\r\n', '+OK\r\n', SERVER, '+OK\r\n')
  expect(say('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n')).toBeUndefined()
  expect(say(info())).toBe('ready')
})

test.each([
  ['off', info(['off'], -1, []), 'tracking is off'],
  ['another mode', info(['on', 'optin']), 'tracking is on optin'],
  ['a part of the writes', info(['on', 'bcast', 'noloop']), 'tracking is bcast noloop on'],
  ['elsewhere', info(['on', 'bcast'], 7), 'redirected'],
  ['other keys', info(['on', 'bcast'], 0, ['a:']), 'other prefixes'],
  ['nothing known', '+OK\r\n', 'not known'],
])('a server that says it tracks, and does not as ordered, is not believed: %s', (_, reply, why) => {
  rounds('%0\r\n', '+OK\r\n', '+OK\r\n', SERVER, '+OK\r\n')
  expect(() => say(reply)).toThrow(why)
  expect(login.refusal).toContain(why)
})

test('what the server will not do is told apart from what it cannot do now', () => {
  expect(() => say('-ERR unknown command `HELLO`, with args\r\n')).toThrow()
  expect(login.refusal).toContain('unknown command')
  begin(undefined)
  expect(() => say('-ERR max number of clients reached\r\n')).toThrow()
  expect(login.refusal).toBeUndefined()
  begin(undefined)
  expect(() => say('-WRONGPASS invalid username-password pair\r\n')).toThrow('WRONGPASS')
  expect(login.refusal).toBeUndefined()
  begin(undefined)
  rounds('%0\r\n', '+OK\r\n')
  expect(() => say('-BUSY Redis is busy\r\n')).toThrow('BUSY')
  expect(login.refusal).toBeUndefined()
  begin(undefined)
  rounds('%0\r\n', '+OK\r\n', '+OK\r\n', SERVER)
  expect(() => say("-NOPERM this user has no permissions to run the 'client|tracking' command\r\n")).toThrow('NOPERM')
  expect(login.refusal).toContain('client|tracking')
})

test('names, eviction and INFO are done without', () => {
  const no = '-NOPERM this user may not\r\n'
  expect(rounds('%0\r\n', no, no, no, '+OK\r\n', info()).at(-1)).toBe('ready')
  expect(login.runId).toBe('')
})

test('where a role is prescribed, another one is not listened to', () => {
  begin('master')
  expect(sent).toContain('NO-EVICT ON ROLE INFO')
  rounds('%0\r\n', '+OK\r\n', '+OK\r\n')
  expect(() => say('*5\r\n$5\r\nslave\r\n$1\r\nx\r\n:1\r\n$9\r\nconnected\r\n:1\r\n')).toThrow('slave, not master')
  expect(login.refusal).toBeUndefined()
})
