import { expect, test } from 'vitest'
import { Moves } from '../../../src/upstream/move.ts'

function moves() {
  const lines: string[] = []
  const say = (_fields: object, text: string) => void lines.push(text)
  return { lines, moves: new Moves('main', { info: say, warn: say }) }
}

const promotedAt = (offset: number) => new Map([['second_repl_offset', String(offset)]])

test('promoted at the drained offset + 1: nothing was lost', () => {
  const { lines, moves: made } = moves()
  made.begin(1000, 0)
  expect(made.proves(promotedAt(1001))).toBe(true)
  made.arrived(promotedAt(1001), 900)
  expect(made).toMatchObject({ count: 1, lossy: 0, unproven: 0, took: 900 })
  expect(lines).toEqual([expect.stringContaining('nothing was lost')])
})

test('promoted later: others wrote, and nothing of ours was lost', () => {
  const { moves: made } = moves()
  made.begin(1000, 0)
  made.arrived(promotedAt(1500), 1)
  expect(made).toMatchObject({ lossy: 0, unproven: 0 })
})

test('promoted before it had everything: that is said loudly', () => {
  const { lines, moves: made } = moves()
  made.begin(1000, 0)
  expect(made.proves(promotedAt(1000))).toBe(false)
  made.arrived(promotedAt(1000), 1)
  expect(made).toMatchObject({ lossy: 1, unproven: 0 })
  expect(lines).toEqual([expect.stringContaining('LOST')])
})

test('a server that was never a replica, or does not tell, proves nothing', () => {
  const { moves: made } = moves()
  made.begin(1000, 0)
  expect(made.proves(promotedAt(-1))).toBe(false)
  expect(made.proves(new Map())).toBe(false)
  made.arrived(new Map(), 1)
  expect(made.lossy).toBe(1)
})

test('an old primary that nobody drained: unproven, and not told as a loss', () => {
  const { moves: made } = moves()
  made.begin(undefined, 0)
  expect(made.proves(promotedAt(1001))).toBe(false)
  made.arrived(promotedAt(1001), 1)
  expect(made).toMatchObject({ lossy: 0, unproven: 1 })
})

test('connections that are made without a move say nothing', () => {
  const { lines, moves: made } = moves()
  made.arrived(promotedAt(5), 1)
  expect(made.count).toBe(0)
  expect(lines).toEqual([])
})
