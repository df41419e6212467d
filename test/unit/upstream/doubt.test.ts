import { expect, test } from 'vitest'
import { Doubt } from '../../../src/upstream/doubt.ts'

test.each(['-READONLY You', '-LOADING Redis', '-MASTERDOWN Link', '-NOAUTH Authentication'])(
  '%s: nothing goes out for a moment, once for all who hear it',
  (error) => {
    const doubt = new Doubt()
    expect(doubt.quiet(1000)).toBe(false)
    expect(doubt.judge(error, 1000)).toBe('new')
    expect(doubt.judge(error, 1001)).toBe('known')
    expect(doubt.quiet(1050)).toBe(true)
    expect(doubt.quiet(1200)).toBe(false)
    expect(doubt.judge(error, 1200)).toBe('new')
  },
)

test.each(['-ERR wrong', '-WRONGTYPE Operation', '-READONLYX no', '-OOM command', '+READONLY no'])(
  '%s says nothing of the server',
  (error) => expect(new Doubt().judge(error, 1000)).toBe('none'),
)

test('a replica that is meant to be one is believed, for a while; LOADING is not its choice', () => {
  const doubt = new Doubt()
  doubt.replica(1000)
  expect(doubt.judge('-READONLY You', 1001)).toBe('none')
  expect(doubt.judge('-LOADING Redis', 1001)).toBe('new')
  expect(doubt.judge('-READONLY You', 10_000)).toBe('new')
})

test('a refusal is remembered until it is known what the server is', () => {
  const doubt = new Doubt()
  doubt.judge('-LOADING Redis', 1000)
  expect(doubt.refused).toBe(false)
  doubt.judge('-READONLY You', 2000)
  expect(doubt.refused).toBe(true)
  doubt.primary()
  expect(doubt.refused).toBe(false)
  doubt.judge('-READONLY You', 3000)
  doubt.replica(3001)
  doubt.judge('-READONLY You', 3002)
  expect(doubt.refused).toBe(false)
})

test('who was a primary is not believed to be a replica by choice', () => {
  const doubt = new Doubt()
  doubt.replica(1000)
  expect(doubt.wasPrimary).toBe(false)
  doubt.primary()
  expect(doubt.wasPrimary).toBe(true)
  expect(doubt.judge('-READONLY You', 1001)).toBe('new')
})
