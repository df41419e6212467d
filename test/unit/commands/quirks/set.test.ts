import { expect, test } from 'vitest'
import { type Offers, readOffers } from '../../../../src/commands/offers.ts'
import { commandReply } from '../../../fixtures/command-replies.ts'
import { argsOf } from '../../../helpers/arg-view.ts'
import { theTable } from '../../../helpers/local-client.ts'

const spec = theTable().byName('set')
const with84 = readOffers(commandReply([{ name: 'delex', flags: 'write,fast', keys: '1/0,1,0/RW' }], 2)) as Offers
const without = readOffers(commandReply([{ name: 'get', flags: 'readonly', keys: '1/0,1,0/RO' }], 2)) as Offers
const rejected = (words: string, offers: Offers | undefined = with84) =>
  spec?.quirk.rejects?.(argsOf(...words.split(' ')), offers) !== undefined

test.each([
  ['SET k v IFDEQ x GET', true],
  ['SET k v GET IFDNE x', true],
  ['set k v get keepttl ifdne 1', true],
  ['SET k v IFDEQ\0x x GET\0', true],
  ['SET k v EX 5 IFDEQ 0123456789abcdeg GET', true],
  ['SET k v IFDEQ 0123456789abcde GET', true],
  ['SET k v IFDEQ 0123456789abcdef0 GET', true],
  // One of both may be the one that counts.
  ['SET k v IFDEQ 0123456789abcdef IFDNE x GET', true],
  // These have one reply.
  ['SET k v IFDEQ 0123456789abcdef GET', false],
  ['SET k v IFDEQ 0123456789ABCDEF GET', false],
  ['SET k v IFDEQ x NX', false],
  ['SET k v IFDEQ GET NX', false],
  ['SET k v IFEQ IFDEQ IFEQ GET', false],
  ['SET k v EX GET IFDEQ x', false],
  ['SET k v GET KEEPTTL IFDEQ', false],
  ['SET GET IFDEQ x KEEPTTL NX', false],
])('%s', (words, expected) => {
  expect(rejected(words)).toBe(expected)
})

test('a server that does not know digests says so itself', () => {
  expect(rejected('SET k v IFDEQ x GET', without)).toBe(false)
  // As long as nobody knows which it is.
  expect(spec?.quirk.rejects?.(argsOf('SET', 'k', 'v', 'IFDEQ', 'x', 'GET'), undefined)).toBeDefined()
})

test('with fewer arguments nobody asks', () => {
  expect(spec?.quirk.rejectsFrom).toBe(6)
})
