import { expect, test } from 'vitest'
import { mayMove, type Place } from '../../../src/commands/exchange.ts'

const PLACES: readonly Place[] = ['reading', 'barrier', 'held', 'scheduled', 'sent', 'abandoned', 'answered']

test('an exchange is answered once, from any place, and never leaves that one', () => {
  for (const place of PLACES) {
    expect(mayMove(place, 'answered')).toBe(place !== 'answered')
    expect(mayMove('answered', place)).toBe(false)
  }
})

test('only what is scheduled is sent, and only what is sent is abandoned', () => {
  expect(PLACES.filter((place) => mayMove(place, 'sent'))).toEqual(['scheduled'])
  expect(PLACES.filter((place) => mayMove(place, 'abandoned'))).toEqual(['sent'])
})

test('nothing goes back to be read again, nothing moves to where it is', () => {
  for (const place of PLACES) {
    expect(mayMove(place, 'reading')).toBe(false)
    expect(mayMove(place, place)).toBe(false)
  }
})
