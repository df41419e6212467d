import { expect, test } from 'vitest'
import { Generations } from '../../../../src/policies/cache/generations.ts'

test('a raise changes the generation of its slot, and of no other', () => {
  const generations = new Generations(8)
  const before = Array.from({ length: 8 }, (_, slot) => generations.at(slot))
  generations.raise(3)
  generations.raise(3)
  const after = before.map((_, slot) => generations.at(slot))
  expect(after.map((generation, slot) => generation === before[slot])).toEqual([1, 1, 1, 0, 1, 1, 1, 1].map(Boolean))
})

test('every hash, negative ones included, has a slot', () => {
  const generations = new Generations(8)
  for (const hash of [0, 7, 8, -1, -8, 0x7fffffff, -0x80000000]) {
    const slot = generations.slotOf(hash)
    expect(slot).toBeGreaterThanOrEqual(0)
    expect(slot).toBeLessThan(8)
    expect(generations.at(slot)).toBe(0)
  }
  expect(generations.slotOf(15)).toBe(7)
  expect(generations.slotOf(-1)).toBe(7)
})

test('a million slots by default, of which neighbours are different', () => {
  const generations = new Generations()
  expect(generations.slotOf(-1)).toBe(2 ** 20 - 1)
  expect(generations.slotOf(2 ** 20)).toBe(0)
})

test.each([
  ['the largest number', 0x7fffffff],
  ['-1', -1],
])('behind %s it goes on with another one', (_, last) => {
  const generations = new Generations(2)
  ;(generations as unknown as { counts: Int32Array }).counts[1] = last
  expect(generations.at(1)).toBe(last)
  const seen = new Set([generations.at(1)])
  for (let i = 0; i < 100; i++) {
    generations.raise(1)
    seen.add(generations.at(1))
  }
  expect(seen.size).toBe(101)
  // They are kept as small integers.
  for (const generation of seen) expect(generation).toBe(generation | 0)
})
