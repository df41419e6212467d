import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Survivors } from '../../../../src/policies/cache/survivors.ts'
import { fuzz } from '../../../helpers/fuzz.ts'

type Item = readonly [frequency: number, used: boolean, weight: number]

function passed(items: readonly Item[], room: number, frequency = Number.POSITIVE_INFINITY) {
  const survivors = new Survivors()
  survivors.begin()
  for (const item of items) survivors.add(...item)
  survivors.limit(room, frequency)
  return { bar: survivors.bar, stays: items.map((item) => survivors.stays(...item)) }
}

test('who is asked for least goes, of equals who was not used, and of those who came first', () => {
  const items: Item[] = [
    [1, true, 10],
    [9, false, 10],
    [2, false, 10],
    [2, true, 10],
    [2, false, 10],
    [15, true, 10],
  ]
  expect(passed(items, 60)).toEqual({ bar: 0, stays: [true, true, true, true, true, true] })
  expect(passed(items, 59)).toEqual({ bar: 1, stays: [false, true, true, true, true, true] })
  expect(passed(items, 40)).toEqual({ bar: 2, stays: [false, true, false, true, true, true] })
  expect(passed(items, 30)).toEqual({ bar: 2, stays: [false, true, false, true, false, true] })
  expect(passed(items, 0)).toEqual({ bar: 15, stays: [false, false, false, false, false, false] })
})

test('nobody goes for who is asked for no more often', () => {
  const items: Item[] = [
    [1, true, 10],
    [2, false, 10],
    [2, true, 10],
    [3, false, 10],
  ]
  expect(passed(items, 0, 1)).toEqual({ bar: 0, stays: [true, true, true, true] })
  expect(passed(items, 0, 2)).toEqual({ bar: 1, stays: [false, true, true, true] })
  expect(passed(items, 0, 3)).toEqual({ bar: 2, stays: [false, false, false, true] })
  expect(passed(items, 25, 3)).toEqual({ bar: 2, stays: [false, false, true, true] })
})

test('no more stays than there is room for, and but for one of it, no less', () => {
  const item = fc.tuple(fc.integer({ min: 1, max: 15 }), fc.boolean(), fc.integer({ min: 1, max: 50 }))
  fc.assert(
    fc.property(fc.array(item, { maxLength: 50 }), fc.nat(1500), (items, room) => {
      const { bar, stays } = passed(items, room)
      const kept = items.filter((_, i) => stays[i])
      const gone = items.filter((_, i) => !stays[i])
      const sum = (of: readonly Item[]) => of.reduce((all, [, , weight]) => all + weight, 0)
      expect(sum(kept)).toBeLessThanOrEqual(room)
      if (gone.length > 0) expect(sum(kept)).toBeGreaterThan(room - 50)
      expect(bar).toBe(gone.length === 0 ? 0 : Math.max(...gone.map(([frequency]) => frequency)))
      for (const [frequency] of kept) expect(frequency).toBeGreaterThanOrEqual(bar)
    }),
    fuzz('survivors', 0.5),
  )
})
