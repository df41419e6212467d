import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const acme = tenant('acme')
const other = tenant('other')

let server: FakeServer
let client: LocalClient

beforeEach(() => {
  server = new FakeServer()
  client = new LocalClient(server, authenticator({}, { tenant: acme, user: 'default' }))
})

const track = (...words: readonly (string | Buffer)[]) => client.ask('CLIENT', 'TRACKING', ...words)

describe('CLIENT TRACKING', () => {
  test('is kept in the session, whole', () => {
    expect(client.session.tracking).toBeUndefined()
    expect(track('on', 'bcast', 'Prefix', 'b', 'NOLOOP', 'prefix', Buffer.from([0xff, 0]))).toBe('+OK\r\n')
    expect(client.session.tracking).toEqual({
      bcast: true,
      optin: false,
      optout: false,
      noloop: true,
      redirect: 0,
      prefixes: [Buffer.from('b'), Buffer.from([0xff, 0])],
      caching: false,
      broken: false,
    })
    expect(track('OFF')).toBe('+OK\r\n')
    expect(client.session.tracking).toBeUndefined()
  })

  test('again: prefixes are added, flags replaced, the broken redirection is mended', () => {
    track('ON', 'BCAST', 'PREFIX', 'b', 'NOLOOP')
    const { tracking } = client.session
    if (tracking !== undefined) tracking.broken = true
    expect(track('ON', 'BCAST', 'PREFIX', 'a')).toBe('+OK\r\n')
    expect(client.session.tracking).toMatchObject({
      noloop: false,
      broken: false,
      prefixes: [Buffer.from('a'), Buffer.from('b')],
    })
    expect(track('ON', 'BCAST')).toBe('+OK\r\n')
    expect(track('ON', 'BCAST')).toBe('+OK\r\n')
    expect(client.session.tracking?.prefixes).toHaveLength(3)
  })

  test('words are C strings, as to the server', () => {
    expect(track('on\0x')).toBe('+OK\r\n')
    expect(track('onx')).toBe('-ERR syntax error\r\n')
  })

  test('what is wrong changes nothing', () => {
    track('ON', 'OPTIN')
    const before = client.session.tracking
    for (const words of [
      ['ON', 'OPTOUT'],
      ['ON', 'BCAST'],
      ['ON', 'PREFIX', 'a'],
      ['maybe'],
      ['ON', 'REDIRECT', '7'],
    ]) {
      expect(track(...words)).toMatch(/^-ERR /)
    }
    expect(client.session.tracking).toBe(before)
  })

  test('a redirection is to a client of the same tenant only', () => {
    const mate = new LocalClient(server, authenticator({}, { tenant: acme, user: 'default' }))
    const stranger = new LocalClient(server, authenticator({}, { tenant: other, user: 'default' }))
    expect(track('ON', 'REDIRECT', String(stranger.session.id))).toContain('does not exist')
    expect(track('ON', 'REDIRECT', String(mate.session.id))).toBe('+OK\r\n')
    expect(client.ask('CLIENT', 'GETREDIR')).toBe(`:${mate.session.id}\r\n`)
    expect(track('ON', 'REDIRECT', String(client.session.id))).toBe('+OK\r\n')
  })

  test('prefixes have limits: a thousand, a kibibyte each', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => ['PREFIX', `${i}:`]).flat()
    expect(track('ON', 'BCAST', ...many(1001))).toBe('-ERR max number of subscriptions reached\r\n')
    expect(track('ON', 'BCAST', 'PREFIX', 'x'.repeat(1025))).toBe('-ERR max number of subscriptions reached\r\n')
    expect(client.session.tracking).toBeUndefined()
    expect(track('ON', 'BCAST', ...many(1000))).toBe('+OK\r\n')
    expect(track('ON', 'BCAST', 'PREFIX', 'one more')).toBe('-ERR max number of subscriptions reached\r\n')
  })
})

describe('CLIENT CACHING', () => {
  test('in EXEC it is about members that were read long ago', () => {
    track('ON', 'OPTIN')
    client.inTransaction = true
    expect(client.ask('CLIENT', 'CACHING', 'YES')).toBe('+OK\r\n')
    expect(client.session.tracking?.caching).toBe(false)
    client.inTransaction = false
    expect(client.ask('CLIENT', 'CACHING', 'YES')).toBe('+OK\r\n')
    expect(client.session.tracking?.caching).toBe(true)
  })
})

describe('CLIENT LIST', () => {
  test('shows who tracks, how, and whom it redirects to', () => {
    const info = () => client.ask('CLIENT', 'INFO').match(/flags=\S+|redir=\S+/g)
    expect(info()).toEqual(['flags=N', 'redir=-1'])
    track('ON')
    expect(info()).toEqual(['flags=t', 'redir=0'])
    track('OFF')
    track('ON', 'BCAST', 'REDIRECT', String(client.session.id))
    const { tracking } = client.session
    if (tracking !== undefined) tracking.broken = true
    expect(info()).toEqual(['flags=tRB', `redir=${client.session.id}`])
  })
})

test('RESET turns it off', () => {
  track('ON')
  client.ask('RESET')
  expect(client.session.tracking).toBeUndefined()
})

test('the first prefix that overlaps is named, with what it overlaps, in the order of Redis', () => {
  const prefix = fc.stringMatching(/^[ab]{1,4}$/)
  const overlap = (a: string, b: string) => a.startsWith(b) || b.startsWith(a)
  const expected = (given: readonly string[], before: readonly string[]): string => {
    for (const [i, one] of given.entries()) {
      const existing = before.find((other) => overlap(one, other))
      const other = given.slice(i + 1).find((later) => overlap(one, later))
      const what =
        existing === undefined ? other && `another provided prefix '${other}'` : `an existing prefix '${existing}'`
      if (what) return `-ERR Prefix '${one}' overlaps with ${what}. Prefixes for a single client must not overlap.\r\n`
    }
    return '+OK\r\n'
  }
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 4 }),
      fc.array(prefix, { minLength: 1, maxLength: 6 }),
      (first, second) => {
        const own = new LocalClient(server, authenticator({}, { tenant: acme, user: 'default' }))
        const on = (prefixes: readonly string[]) =>
          own.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes.flatMap((one) => ['PREFIX', one]))
        fc.pre(first.length > 0 && expected(first, []) === '+OK\r\n')
        on(first)
        expect(on(second)).toBe(expected(second, [...first].sort()))
      },
    ),
    { numRuns: 300 },
  )
})
