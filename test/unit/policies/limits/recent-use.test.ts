import { expect, test } from 'vitest'
import { RecentUse } from '../../../../src/policies/limits/recent-use.ts'

test('more use counts at once, less use bit by bit, and a moment says nothing', () => {
  const use = new RecentUse()
  use.average(1000)
  use.demand += 100
  expect(use.average(1010)).toBe(0)
  expect(use.average(1050)).toBe(2)
  use.demand += 50
  const less = use.average(1100)
  expect(less).toBeGreaterThan(1.5)
  expect(less).toBeLessThan(2)
  use.demand += 500
  expect(use.average(1150)).toBe(10)
  expect(use.average(3000)).toBeLessThan(0.01)
})
