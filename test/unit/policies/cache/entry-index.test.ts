import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EntryIndex } from '../../../../src/policies/cache/entry-index.ts'
import { fuzz } from '../../../helpers/fuzz.ts'

/** Whatever it holds, it holds all of the model and nothing else. */
function expectSame(index: EntryIndex, model: ReadonlyMap<number, number>, hashes: Iterable<number>): void {
  expect(index.count).toBe(model.size)
  for (const hash of hashes) expect([hash, index.get(hash)]).toEqual([hash, model.get(hash) ?? -1])
}

test('it is a map from hashes to addresses, whatever is added, moved and deleted in whatever order', () => {
  // Few low bits, so that most of them want the same slots, across the end of the table too.
  const hash = fc.oneof(
    fc.constantFrom(0, 1, 7, 8, 15, 16, 0x7fffffff, -0x80000000, -1, -2, -8, -9),
    fc.nat(5).map((n) => n * 64 + 7),
    fc.nat(30).map((n) => -n),
  )
  const operation = fc.record({ hash, address: fc.nat(2 ** 31 - 3), remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const index = new EntryIndex()
      const model = new Map<number, number>()
      for (const { hash: one, address, remove } of operations) {
        if (remove && model.delete(one)) index.delete(one)
        else if (!remove && model.has(one)) {
          index.move(one, address)
          model.set(one, address)
        } else if (!remove) {
          if (index.growth > 0) index.grow()
          index.add(one, address)
          model.set(one, address)
        }
        expect(index.count).toBe(model.size)
      }
      expectSame(index, model, new Set(operations.map(({ hash: one }) => one)))
    }),
    fuzz('index', 0.5),
  )
})

describe('its size', () => {
  test('doubles when three quarters are taken, and is told before', () => {
    const index = new EntryIndex()
    const { bytes } = index
    for (let hash = 0; hash < 6; hash++) {
      expect(index.growth).toBe(0)
      index.add(hash, hash)
    }
    expect([index.bytes, index.growth]).toEqual([bytes, bytes])
    index.grow()
    expect([index.bytes, index.growth]).toEqual([2 * bytes, 0])
    expectSame(index, new Map([0, 1, 2, 3, 4, 5].map((i) => [i, i])), [0, 1, 2, 3, 4, 5, 6, 16])
  })

  test('stays as it is when as many go as come', () => {
    const index = new EntryIndex()
    const hashOf = (i: number) => Math.imul(i, 0x9e3779b1)
    for (let i = 0; i < 100_000; i++) {
      if (index.growth > 0) index.grow()
      index.add(hashOf(i), i)
      if (i >= 1000) index.delete(hashOf(i - 1000))
    }
    expect(index.bytes).toBeLessThan(32 * 1000)
    expect(index.get(hashOf(99_999))).toBe(99_999)
    expect(index.get(hashOf(98_999))).toBe(-1)
  })
})

test('a hash that is not there cannot be deleted or moved', () => {
  const index = new EntryIndex()
  index.add(1, 1)
  expect(() => index.delete(9)).toThrow(/not in the index/)
  expect(() => index.move(2, 5)).toThrow(/not in the index/)
})
