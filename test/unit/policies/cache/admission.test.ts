import fc from 'fast-check'
import { LRUCache } from 'lru-cache'
import { expect, test } from 'vitest'
import { Frequencies } from '../../../../src/policies/cache/admission.ts'
import { fuzz } from '../../../helpers/fuzz.ts'
import { EntriesWorld } from './entries-world.ts'

const LONG = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

/** Hashes of number i. */
const hash = (i: number) => Math.imul(i + 1, 0x9e3779b1) ^ ((i + 1) >>> 7)
const check = (i: number) => Math.imul(i + 7, 0x85ebca6b) ^ (Math.imul(i, 0xc2b2ae35) >>> 11)

/** Numbers 0 to 2^32 - 1, the same each time. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

test('a count is never too low, as long as nothing was halved', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 300 }), (noted) => {
      const frequencies = new Frequencies(64)
      const counts = new Map<number, number>()
      for (const i of noted) {
        frequencies.note(hash(i), check(i))
        counts.set(i, (counts.get(i) ?? 0) + 1)
      }
      for (const [i, count] of counts)
        expect(frequencies.of(hash(i), check(i))).toBeGreaterThanOrEqual(Math.min(15, count))
    }),
    fuzz('frequencies', 0.25),
  )
})

test('the counts of as many items as there is room for are right, but for a few', () => {
  const items = 10_000
  const frequencies = new Frequencies(items)
  for (let i = 0; i < items; i++) for (let n = 0; n <= i % 5; n++) frequencies.note(hash(i), check(i))
  let wrong = 0
  for (let i = 0; i < items; i++) if (frequencies.of(hash(i), check(i)) !== 1 + (i % 5)) wrong++
  expect(wrong).toBeLessThan(items / 20)
})

test('all hashes have their place, and a count ends at 15', () => {
  const frequencies = new Frequencies(1)
  for (const h of [0, 1, -1, 0x7fffffff, -0x80000000]) {
    for (const c of [0, 1, -1, 0x7fffffff, -0x80000000]) {
      const one = new Frequencies(100_000)
      for (let n = 0; n < 40; n++) one.note(h, c)
      expect(one.of(h, c)).toBe(15)
      expect(one.of(h ^ 1, c)).toBe(0)
      frequencies.note(h, c)
    }
  }
})

test('what was asked for long ago is forgotten', () => {
  const items = 1000
  const frequencies = new Frequencies(items)
  for (let n = 0; n < 15; n++) frequencies.note(hash(-1), check(-1))
  expect(frequencies.of(hash(-1), check(-1))).toBe(15)
  // Twice as many notes as until all is halved, of items that come seldom.
  for (let i = 0; i < 2 * 10 * items; i++) frequencies.note(hash(i % (4 * items)), check(i % (4 * items)))
  expect(frequencies.of(hash(-1), check(-1))).toBeLessThanOrEqual(9)
})

test('grown to twice as many items, it tells of all what it told before', () => {
  const items = 1000
  const frequencies = new Frequencies(items)
  for (let i = 0; i < items; i++) for (let n = 0; n <= i % 5; n++) frequencies.note(hash(i), check(i))
  const before = Array.from({ length: items }, (_, i) => frequencies.of(hash(i), check(i)))
  const { bytes, capacity } = frequencies
  frequencies.grow()
  expect([frequencies.bytes, frequencies.capacity]).toEqual([2 * bytes, 2 * capacity])
  expect(Array.from({ length: items }, (_, i) => frequencies.of(hash(i), check(i)))).toEqual(before)
  // And from now on it tells apart what fell together.
  for (let i = 0; i < items; i++) for (let n = 0; n < 8; n++) frequencies.note(hash(i), check(i))
  const after = before.map((count, i) => Math.abs(frequencies.of(hash(i), check(i)) - Math.min(15, count + 8)))
  expect(after.filter((difference) => difference > 0).length).toBeLessThan(items / 20)
})

test('it takes 16 to 32 bytes for each item', () => {
  for (const items of [100, 1000, 1024, 1025, 100_000]) {
    const { bytes } = new Frequencies(items)
    expect(bytes).toBeGreaterThanOrEqual(16 * items)
    expect(bytes).toBeLessThanOrEqual(32 * items)
  }
})

/** Ranks of a Zipf distribution: how often one comes falls as its rank rises. */
function zipf(ranks: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(ranks)
  let sum = 0
  for (let rank = 0; rank < ranks; rank++) sums[rank] = sum += (rank + 1) ** -exponent
  return () => {
    const at = (random() / 2 ** 32) * sum
    let low = 0
    let high = ranks - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle] < at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * The share of hits of a Zipf workload alone, while a scan over ten times the size of the cache passes through, one
 * request of it after each of the workload, as that goes on to forty times the size, and when it is over.
 */
function withScan(get: (key: string) => boolean, size: number) {
  const next = zipf(20 * size, 0.99, randomFrom(1))
  const ratio = (requests: number, meanwhile: (i: number) => void): number => {
    let hits = 0
    for (let i = 0; i < requests; i++) {
      if (get(`key:${next()}`)) hits++
      meanwhile(i)
    }
    return hits / requests
  }
  const nothing = () => {}
  ratio(20 * size, nothing)
  const before = ratio(10 * size, nothing)
  const during = ratio(10 * size, (i) => get(`scan:${i}`))
  const later = ratio(30 * size, (i) => get(`scan:${10 * size + i}`))
  return { before, during, later, after: ratio(10 * size, nothing) }
}

test('a scan over ten times the size of the cache leaves the hit ratio of a Zipf workload within 5 points', () => {
  const memory = LONG ? 2 ** 25 : 2 ** 22
  const reply = Buffer.alloc(100)
  const world = new EntriesWorld(memory)
  for (let i = 0; world.entries.evictions === 0 && world.entries.bytes < memory * 0.9; i++)
    world.store(`first:${i}`, reply)
  const size = world.entries.count
  world.entries.clear()

  const lru = new LRUCache<string, true>({ max: size })
  const bare = withScan((key) => lru.get(key) === true || !lru.set(key, true), size)
  const ours = withScan((key) => world.get(key, reply), size)
  const show = (x: typeof ours) => Object.entries(x).map(([name, ratio]) => `${name} ${(100 * ratio).toFixed(1)} %`)
  console.log(`${size} entries, hits: ours ${show(ours).join(', ')}; LRU alone ${show(bare).join(', ')}`)
  expect(ours.before - ours.during).toBeLessThan(0.05)
  expect(ours.before - ours.later).toBeLessThan(0.05)
  expect(ours.before - ours.after).toBeLessThan(0.05)
  expect(ours.before).toBeGreaterThan(bare.before - 0.01)
  // The scan is one that hurts: without admission more than that is lost.
  expect(bare.before - bare.during).toBeGreaterThan(0.05)
  expect(world.entries.bytes).toBeLessThanOrEqual(memory)
})

test('what is asked for by everybody all of a sudden gets in', () => {
  const reply = Buffer.alloc(100)
  const world = new EntriesWorld(2 ** 20)
  const next = zipf(20_000, 0.99, randomFrom(2))
  for (let i = 0; i < 50_000; i++) world.get(`old:${next()}`, reply)
  const size = world.entries.count
  // As many new keys as a tenth of the cache, over and over.
  let hits = 0
  for (let i = 0; i < 5 * size; i++) if (world.get(`new:${i % Math.floor(size / 10)}`, reply)) hits++
  expect(hits / (5 * size)).toBeGreaterThan(0.6)
})
