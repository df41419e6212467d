import { expect, test } from 'vitest'
import type { Reader, Readers } from '../../../../src/client/tracking/reader.ts'
import { TrackedKeys, TrackingBudget } from '../../../../src/client/tracking/tracked-keys.ts'

/** Only who it is matters here. */
const somebody = () => ({}) as Reader

function tables(limit: number, count: number) {
  const budget = new TrackingBudget(limit)
  const evicted: string[][] = []
  const made = Array.from({ length: count }, (_, i) => {
    evicted.push([])
    return new TrackedKeys(budget, (name: string, _readers: Readers) => void evicted[i].push(name))
  })
  return { budget, evicted, tables: made }
}

test('a key is known until it is taken, for each who has read it', () => {
  const {
    budget,
    tables: [table],
  } = tables(100, 1)
  const [a, b, c] = [somebody(), somebody(), somebody()]
  for (const one of [a, a, b, a, b, c]) table.add('k', one)
  table.add('l', a)
  expect(table.pairs).toBe(4)
  expect(budget.used).toBe(4)
  expect(table.take('k')).toEqual(new Set([a, b, c]))
  expect(table.take('k')).toBeUndefined()
  expect(table.take('l')).toBe(a)
  expect([table.pairs, table.size, budget.used]).toEqual([0, 0, 0])
})

test('when it is full, what was read first goes first', () => {
  const {
    budget,
    evicted: [evicted],
    tables: [table],
  } = tables(10, 1)
  const one = somebody()
  for (let i = 0; i < 10; i++) table.add(`k${i}`, one)
  table.take('k1')
  for (let i = 10; i < 14; i++) table.add(`k${i}`, one)
  expect(evicted).toEqual(['k0', 'k2', 'k3'])
  // Read again, it is at the end.
  table.take('k4')
  table.add('k4', one)
  table.add('k14', one)
  table.add('k15', one)
  expect(evicted).toEqual(['k0', 'k2', 'k3', 'k5', 'k6'])
  expect(budget.used).toBe(10)
})

test('the tenant that has most makes room, others keep what is theirs', () => {
  const {
    evicted,
    tables: [small, large],
  } = tables(1000, 2)
  const one = somebody()
  for (let i = 0; i < 100; i++) small.add(`s${i}`, one)
  for (let i = 0; i < 5000; i++) large.add(`l${i}`, one)
  expect(evicted[0]).toEqual([])
  expect(evicted[1]).toHaveLength(4100)
  expect(small.pairs).toBe(100)
})

test('a smaller limit holds from the next key on; what is closed counts no more', () => {
  const {
    budget,
    evicted: [evicted],
    tables: [table],
  } = tables(100, 1)
  for (let i = 0; i < 100; i++) table.add(`k${i}`, somebody())
  budget.limit = 10
  table.add('new', somebody())
  expect(evicted).toHaveLength(91)
  expect(budget.used).toBe(10)
  table.close()
  expect(budget.used).toBe(0)
})

test('a million keys come and go at a steady cost', () => {
  const {
    tables: [table],
  } = tables(100_000, 1)
  const one = somebody()
  const begun = performance.now()
  for (let i = 0; i < 1_000_000; i++) table.add(`key:${i}`, one)
  expect(table.size).toBe(100_000)
  // Some 500 ns each here; it would be minutes if each eviction passed those before it.
  expect(performance.now() - begun).toBeLessThan(20_000)
})

test('a table that is closed while it makes room takes nothing more, and nobody waits for it', () => {
  const budget = new TrackingBudget(10)
  // Who is told that a key made room is cut off, and was the last one.
  const table: TrackedKeys = new TrackedKeys(budget, () => table.close())
  const one = somebody()
  for (let i = 0; i < 100; i++) table.add(`k${i}`, one)
  expect([budget.used, table.pairs, table.size]).toEqual([0, 0, 0])
  const other = new TrackedKeys(budget, () => undefined)
  for (let i = 0; i < 100; i++) other.add(`k${i}`, one)
  expect([budget.used, other.pairs]).toEqual([10, 10])
})

test('long names take no more room than short ones: each 64 bytes of one count as a key more', () => {
  const {
    budget,
    evicted: [evicted],
    tables: [table],
  } = tables(1000, 1)
  const [a, b] = [somebody(), somebody()]
  const name = (i: number) => `${i}`.padEnd(1008, 'x')
  for (let i = 0; i < 100; i++) table.add(name(i), a)
  // 1 + 15 each.
  expect(table.pairs).toBe(62)
  expect(budget.used).toBe(992)
  expect(evicted).toHaveLength(38)
  // Who reads it, too, shares its bytes.
  table.add(name(99), b)
  expect([table.pairs, budget.used]).toEqual([63, 993])
  table.take(name(99))
  expect([table.pairs, budget.used]).toEqual([61, 976])
  table.add('x'.repeat(63), a)
  expect(budget.used).toBe(977)
  table.clear()
  expect([table.pairs, table.size, budget.used]).toEqual([0, 0, 0])
})

test('of a name that takes more than there is, nothing is kept, and it is told', () => {
  const {
    budget,
    evicted: [evicted],
    tables: [table],
  } = tables(5, 1)
  table.add('x'.repeat(1000), somebody())
  expect(evicted).toHaveLength(1)
  expect([table.pairs, budget.used]).toEqual([0, 0])
})
