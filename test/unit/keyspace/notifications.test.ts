import { describe, expect, test } from 'vitest'
import {
  BY_EVENT,
  BY_KEY,
  formsOf,
  isNotification,
  keyeventChannel,
  keyspaceChannel,
  lackingEvents,
  mayMatchNotification,
  placeOf,
  readEventFlags,
  showEventFlags,
} from '../../../src/keyspace/notifications.ts'
import { globMatches } from '../../../src/lib/glob.ts'

const flags = (text: string) => readEventFlags(text) as number

describe('the setting', () => {
  // As CONFIG SET and GET of Redis 7.0 have it.
  test.each([
    ['', ''],
    ['KEA', 'AKE'],
    ['Ex', 'xE'],
    ['KEmn', 'nKEm'],
    ['AKEmn', 'AKEm'],
    ['dK', 'dK'],
    ['KEg$lshzxet', 'g$lshzxetKE'],
    ['KEg$lshzxetd', 'AKE'],
    ['ng', 'gn'],
    ['xxx', 'x'],
  ])('%j is shown as %j', (given, shown) => expect(showEventFlags(flags(given))).toBe(shown))

  test.each(['Q', 'KEA ', 'a', 'K,E'])('%j is wrong', (given) => expect(readEventFlags(given)).toBeUndefined())

  test.each([
    ['AKE', 'set', BY_KEY | BY_EVENT],
    ['KA', 'set', BY_KEY],
    ['Ex', 'expired', BY_EVENT],
    ['Ex', 'expire', 0],
    ['Eg', 'expire', BY_EVENT],
    ['AKE', 'new', 0],
    ['AKE', 'keymiss', 0],
    ['KEd', 'bf.add', BY_KEY | BY_EVENT],
    ['KEg', 'bf.add', 0],
    ['A', 'set', 0],
  ])('with %j, %s comes in forms %i', (given, event, forms) => expect(formsOf(event, flags(given))).toBe(forms))

  test.each([
    ['KEA', 'KEA', ''],
    ['Ex', 'Kx', ''],
    ['Ex', 'Ex', 'K'],
    ['Ex', '', 'xK'],
    ['x', '', ''],
    ['KEA', 'Kg', '$lshzxetd'],
  ])('%j of a server with %j lacks %j', (wanted, have, lacking) => {
    expect(lackingEvents(flags(wanted), flags(have))).toBe(lacking)
  })
})

describe('which topics may hear of them', () => {
  const patterns = [
    '*',
    '?*',
    '__*',
    '__key*',
    '_?k*',
    '__keyspace@0__:*',
    '__keyevent@*:set',
    '[_]*',
    '\\_*',
    '__k[ae]y*',
  ]
  test.each(patterns)('%s may', (pattern) => expect(mayMatchNotification(Buffer.from(pattern))).toBe(true))

  test.each(['news', 'news*', '_key*', '__keyspace', '__keyx*', ''])('%j may not', (pattern) => {
    expect(mayMatchNotification(Buffer.from(pattern))).toBe(false)
  })

  test('never no where the pattern does match', () => {
    const channels = ['__keyspace@0__:k', '__keyevent@12__:set', '__keyspace@0__:']
    const pieces = [
      '*',
      '?',
      '_',
      '__',
      'key',
      'space',
      'event',
      '@',
      '0',
      '__:',
      'k',
      '[_]',
      '[^a]',
      '\\_',
      '\\k',
      'x',
    ]
    let state = 12345
    const random = (n: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n
    let matched = 0
    for (let i = 0; i < 50_000; i++) {
      const pattern = Buffer.from(Array.from({ length: 1 + random(6) }, () => pieces[random(pieces.length)]).join(''))
      if (!channels.some((channel) => globMatches(pattern, Buffer.from(channel)))) continue
      matched++
      expect(mayMatchNotification(pattern), pattern.toString()).toBe(true)
    }
    expect(matched).toBeGreaterThan(500)
  })

  test('channels by their names', () => {
    for (const name of ['__keyspace@0__:k', '__keyevent@0__:set', '__keyspace@']) {
      expect(isNotification(Buffer.from(name))).toBe(true)
    }
    for (const name of ['keyspace', '__keyspace', '', 'x__keyspace@0__:k']) {
      expect(isNotification(Buffer.from(name))).toBe(false)
    }
  })
})

describe('whose key it is', () => {
  const place = (raw: string, databases?: number) => {
    const found = placeOf(Buffer.from(raw), Buffer.from('acme:'), databases)
    return found === undefined ? undefined : `${found.db} ${found.key}`
  }

  test('without databases', () => {
    expect(place('acme:k')).toBe('0 k')
    expect(place('acme:')).toBe('0 ')
    expect(place('acme:3:k')).toBe('0 3:k')
    expect(place('acmf:k')).toBeUndefined()
    expect(place('acme')).toBeUndefined()
  })

  test('with databases', () => {
    expect(place('acme:0:k', 4)).toBe('0 k')
    expect(place('acme:3:', 4)).toBe('3 ')
    expect(place('acme:3:4:k', 4)).toBe('3 4:k')
    for (const raw of ['acme:4:k', 'acme:03:k', 'acme:k', 'acme::k', 'acme:-1:k', 'acme:1', 'acme:99999999:k']) {
      expect(place(raw, 4), raw).toBeUndefined()
    }
  })

  test('channels have the number of the tenant’s database', () => {
    expect(keyspaceChannel(3, Buffer.from([0, 255])).toString('latin1')).toBe('__keyspace@3__:\0\xff')
    expect(keyeventChannel(0, 'del').toString()).toBe('__keyevent@0__:del')
  })
})
