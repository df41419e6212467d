import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Offenders } from '../../../../src/policies/limits/offenders.ts'

test('few names are counted exactly, the most frequent first', () => {
  const offenders = new Offenders()
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) offenders.note(name)
  offenders.note('c', 7)
  expect(offenders.top(10)).toEqual([
    { name: 'c', count: 8, over: 0 },
    { name: 'a', count: 3, over: 0 },
    { name: 'b', count: 2, over: 0 },
  ])
  expect(offenders.top(1)).toEqual([{ name: 'c', count: 8, over: 0 }])
  expect(new Offenders().top(10)).toEqual([])
})

test('a new name takes the lowest counter and says by how much it may be too high', () => {
  const offenders = new Offenders(2)
  for (const name of ['a', 'a', 'a', 'b', 'b', 'c']) offenders.note(name)
  expect(offenders.top(10)).toEqual([
    { name: 'a', count: 3, over: 0 },
    { name: 'c', count: 3, over: 2 },
  ])
})

test('the frequent ones are there, and counts are within their bounds', () => {
  const name = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 }) },
    { weight: 2, arbitrary: fc.integer({ min: 6, max: 100_000 }) },
  )
  const stream = fc.array(fc.tuple(name, fc.integer({ min: 1, max: 4 })), { maxLength: 2000 })
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 20 }), (notes, kept) => {
      const offenders = new Offenders(kept)
      const truth = new Map<string, number>()
      let total = 0
      for (const [number, weight] of notes) {
        offenders.note(`n${number}`, weight)
        truth.set(`n${number}`, (truth.get(`n${number}`) ?? 0) + weight)
        total += weight
      }
      const top = offenders.top(Number.POSITIVE_INFINITY)
      expect(top.length).toBe(Math.min(kept, truth.size))
      const listed = new Set(top.map((each) => each.name))
      for (const [each, count] of truth) if (count > total / kept) expect(listed).toContain(each)
      for (const { name, count, over } of top) {
        const real = truth.get(name) ?? 0
        expect(count).toBeGreaterThanOrEqual(real)
        expect(count - over).toBeLessThanOrEqual(real)
        expect(over).toBeLessThanOrEqual(total / kept)
      }
    }),
    { numRuns: 200 },
  )
})

test('200,000 names leave 64, and the one that came often is among them', () => {
  const offenders = new Offenders()
  for (let i = 0; i < 200_000; i++) offenders.note(i % 50 === 0 ? 'often' : `once:${i}`)
  const top = offenders.top(1000)
  expect(top.length).toBe(64)
  expect(top[0].name).toBe('often')
  expect(top[0].count - top[0].over).toBeLessThanOrEqual(4000)
  expect(top[0].count).toBeGreaterThanOrEqual(4000)
})

test('long names are cut to 128 characters', () => {
  const offenders = new Offenders()
  offenders.note(`${'\xff'.repeat(128)}a`)
  offenders.note(`${'\xff'.repeat(128)}b`)
  offenders.note('\xff'.repeat(128))
  offenders.note('\xff'.repeat(127))
  expect(offenders.top(10)).toEqual([
    { name: '\xff'.repeat(128), count: 3, over: 0 },
    { name: '\xff'.repeat(127), count: 1, over: 0 },
  ])
})
