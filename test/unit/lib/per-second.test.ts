import { expect, test } from 'vitest'
import { PerSecond } from '../../../src/lib/per-second.ts'

test('so many in a second, and again in the next', () => {
  const budget = new PerSecond(2)
  expect([0, 10, 20, 999].map((now) => budget.take(now))).toEqual([true, true, false, false])
  expect([1000, 1500, 1999].map((now) => budget.take(now))).toEqual([true, true, false])
  expect(new PerSecond(0).take(5)).toBe(false)
})
